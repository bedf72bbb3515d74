/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_ADAPTER_H
#define MODEL_ADAPTER_H

#include "appliance/engine/tensors.h"
#include "appliance/model/match.h"
#include "appliance/model/weights.h"

/*
 * adapter.h - low-rank adapters of a base model (LoRA, rsLoRA, DoRA), in the
 * words of PEFT: which modules they are for, where A, B and the magnitude lie
 * in one run of numbers, and how they are merged into the base.
 *
 * Modules stand in the order of the base's run, those of one joined matrix
 * side by side: their A lie below one another, then their B, then their
 * magnitudes.  Shapes are PEFT's: A [r, in], B [out, r], m [out], whatever way
 * round the base's file has its weight.
 */

enum adapter_bias { BIAS_NONE, BIAS_ALL, BIAS_LORA_ONLY };
enum adapter_init { INIT_KAIMING, INIT_GAUSSIAN };

struct adapter_conf {			/* PEFT's adapter_config.json */
	const char *base, *task;	/* base_model_name_or_path, task_type */
	int64_t r;
	double alpha, dropout;
	bool rslora, dora;
	enum adapter_bias bias;
	enum adapter_init init;
	struct match target, exclude;
	struct match save;		/* modules_to_save */
	struct match layers_pattern;
	int64_t *layer;			/* layers_to_transform */
	size_t nlayers;
	struct match_pattern *rank, *alphas;
	size_t nranks, nalphas;
};

struct adapter_module {
	const char *name;		/* model.layers.0.self_attn.q_proj */
	size_t at, rows, cols;		/* its weight in the base's run */
	size_t r;
	double scale;
	size_t a, b, m;			/* in the adapter's; m: or NO_WEIGHT */
	size_t head;			/* as its piece's: files have the rows
					 * of B and m so */
};

struct adapter {
	struct adapter_conf conf;
	struct adapter_module *v;
	size_t n, all;			/* all: reals in the run */
	struct piece *saved;		/* parts of the base that it replaces */
	size_t nsaved;
	real *run;			/* the host's */
	real *base;			/* what saved parts become, in order */
};

/* adapter_check - do the settings fit one another */
int adapter_check(const struct adapter_conf *, struct err *);

/* adapter_plan - the modules of a base that the settings name; adapter_layout -
 * their places, and the run, all 0 */
int adapter_plan(struct arena *, const struct weights *,
    const struct adapter_conf *, struct adapter *, struct err *);
void adapter_layout(struct arena *, const struct weights *,
    struct adapter *);

/* adapter_pieces - A, B and m of a module, as files have them */
void adapter_pieces(const struct adapter_module *, struct piece [3]);

/* adapter_saves - can this part of the base be saved whole */
int adapter_saves(const struct weights *, const struct piece *, struct err *);

/* adapter_init - A as PEFT draws it, B 0, m the lengths of the base's rows and
 * saved parts as they are; base NULL: those two are left to decoder_magnitudes
 * and to who reads them back */
void adapter_init(struct adapter *, const real *base, uint64_t seed);

/* adapter_merge - base += scale B A (DoRA: its rows then as long as m), and the
 * saved parts in their places; what is no number is told by name */
int adapter_merge(const struct adapter *, real *base, struct err *);

#endif
