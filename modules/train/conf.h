/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_CONF_H
#define TRAIN_CONF_H

#include "appliance/base/opt.h"

/* conf.h - train's options, as options.c has them in its table */

struct train_conf {
	const char *tokenizer, *base, *text, *valid, *shard, *out, *gpus;
	const char *target_regex, *prompt, *completion, *messages;
	const char *template, *date, *example, *chosen, *rejected;
	const char *label, *pair, *tokens, *tags;
	int objective, loss, packing, arch, schedule, optimizer, guard;
	int adapter, bias, ranks, init_lora_weights, base_form, precision;
	int pool, search;
	int64_t trials, eta;
	int64_t layers, channels, heads, kv_heads, hidden, context;
	int64_t words, batch, accumulate, steps, epochs, warmup;
	double lr, min_lr, weight_decay, beta1, beta2, eps, clip;
	double cooldown, momentum, outlier, lora_alpha, lora_dropout;
	double dropout, attention_dropout;
	double mask, mean_span, temperature, beta, label_smoothing;
	double alpha, teacher_temperature;
	int64_t seed, eval_every, patience, checkpoint, rank;
	bool tied, warmup_zero, recompute, use_rslora, use_dora, merge,
	    completion_only, double_quant, exact, multi, normalize, resume;
	struct opt_list target_modules, exclude_modules, layers_to_transform;
	struct opt_list labels, turn, rank_pattern, alpha_pattern;
	struct opt_list modules_to_save, space;
};

extern const struct opt train_opts[];

enum { LOSS_ASSISTANT, LOSS_ALL };
enum { ARCH_GPT2, ARCH_LLAMA };
enum { SCHEDULE_COSINE, SCHEDULE_LINEAR, SCHEDULE_CONSTANT, SCHEDULE_WSD };
enum { GUARD_STOP, GUARD_SKIP };
enum { SEARCH_NONE, SEARCH_GRID, SEARCH_RANDOM, SEARCH_TPE, SEARCH_HALVING };
enum { ADAPTER_NONE, ADAPTER_LORA };
enum { RANKS_NONE, RANKS_MPI, RANKS_NCCL };

#endif
