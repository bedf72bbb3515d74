/* SPDX-License-Identifier: Apache-2.0 */
/* Templates for the families that people carry, for vocabularies that came
 * without one.  An answer and what ends it are {% generation %} */
#include "appliance/base/base.h"
#include "appliance/text/chat.h"

#define TEXT_ONLY \
	"{% macro said(m) %}{% if m.content is not string %}" \
	"{{ raise_exception('the content of a message must be a text') }}" \
	"{% endif %}{{ m.content }}{% endmacro %}"

/* the first system message, if it comes first, goes into the first question */
#define NO_SYSTEM \
	"{% set ns = namespace(system='', seen=false) %}" \
	"{% if messages and messages[0].role == 'system' %}" \
	"{% set ns.system = said(messages[0])|trim ~ '\\n\\n' %}" \
	"{% set messages = messages[1:] %}{% endif %}"

static const char chatml[] = TEXT_ONLY
	"{% for m in messages %}"
	"<|im_start|>{{ m.role }}{{ '\\n' }}"
	"{% if m.role == 'assistant' %}"
	"{% generation %}{{ said(m) }}<|im_end|>{% endgeneration %}"
	"{% else %}{{ said(m) }}<|im_end|>{% endif %}{{ '\\n' }}"
	"{% endfor %}"
	"{% if add_generation_prompt %}<|im_start|>assistant{{ '\\n' }}"
	"{% endif %}";

static const char llama3[] = TEXT_ONLY
	"{{ bos_token }}{% for m in messages %}"
	"<|start_header_id|>{{ m.role }}<|end_header_id|>{{ '\\n\\n' }}"
	"{% if m.role == 'assistant' %}"
	"{% generation %}{{ said(m)|trim }}<|eot_id|>{% endgeneration %}"
	"{% else %}{{ said(m)|trim }}<|eot_id|>{% endif %}{% endfor %}"
	"{% if add_generation_prompt %}"
	"<|start_header_id|>assistant<|end_header_id|>{{ '\\n\\n' }}"
	"{% endif %}";

static const char mistral[] = TEXT_ONLY NO_SYSTEM
	"{{ bos_token }}{% for m in messages %}"
	"{% if m.role == 'user' %}[INST] {{ ns.system }}{{ said(m) }} [/INST]"
	"{% set ns.system = '' %}"
	"{% elif m.role == 'assistant' %}"
	"{% generation %} {{ said(m)|trim }}{{ eos_token }}{% endgeneration %}"
	"{% else %}{{ raise_exception('mistral knows user and assistant, and "
	"system at the start, not ' ~ m.role) }}{% endif %}{% endfor %}";

static const char gemma[] = TEXT_ONLY NO_SYSTEM
	"{{ bos_token }}{% for m in messages %}"
	"{% if m.role == 'assistant' %}<start_of_turn>model{{ '\\n' }}"
	"{% generation %}{{ said(m)|trim }}<end_of_turn>{% endgeneration %}"
	"{% else %}<start_of_turn>{{ m.role }}{{ '\\n' }}"
	"{{ ns.system }}{{ said(m)|trim }}<end_of_turn>"
	"{% set ns.system = '' %}{% endif %}{{ '\\n' }}{% endfor %}"
	"{% if add_generation_prompt %}<start_of_turn>model{{ '\\n' }}"
	"{% endif %}";

static const char phi[] = TEXT_ONLY
	"{% for m in messages %}<|{{ m.role }}|>{{ '\\n' }}"
	"{% if m.role not in ['system', 'user', 'assistant'] %}"
	"{{ raise_exception('phi knows no role ' ~ m.role) }}"
	"{% elif m.role == 'assistant' %}"
	"{% generation %}{{ said(m) }}<|end|>{% endgeneration %}"
	"{% else %}{{ said(m) }}<|end|>{% endif %}{{ '\\n' }}{% endfor %}"
	"{% if add_generation_prompt %}<|assistant|>{{ '\\n' }}{% endif %}";

static const char zephyr[] = TEXT_ONLY
	"{% for m in messages %}<|{{ m.role }}|>{{ '\\n' }}"
	"{% if m.role not in ['system', 'user', 'assistant'] %}"
	"{{ raise_exception('zephyr knows no role ' ~ m.role) }}"
	"{% elif m.role == 'assistant' %}"
	"{% generation %}{{ said(m) }}{{ eos_token }}{% endgeneration %}"
	"{% else %}{{ said(m) }}{{ eos_token }}{% endif %}{{ '\\n' }}"
	"{% endfor %}"
	"{% if add_generation_prompt %}<|assistant|>{{ '\\n' }}{% endif %}";

static const char alpaca[] = TEXT_ONLY NO_SYSTEM
	"{{ bos_token }}{{ ns.system }}{% for m in messages %}"
	"{% if m.role == 'assistant' %}### Response:{{ '\\n' }}"
	"{% generation %}{{ said(m)|trim }}{{ eos_token }}{% endgeneration %}"
	"{{ '\\n\\n' }}"
	"{% elif m.role == 'user' %}### Instruction:{{ '\\n' }}"
	"{{ said(m)|trim }}{{ '\\n\\n' }}"
	"{% else %}{{ raise_exception('alpaca knows user and assistant, and "
	"system at the start, not ' ~ m.role) }}{% endif %}{% endfor %}"
	"{% if add_generation_prompt %}### Response:{{ '\\n' }}{% endif %}";

const char *
chat_named(const char *name)
{
	static const struct {
		const char *name, *text;
	} all[] = { { "chatml", chatml }, { "llama3", llama3 },
	    { "mistral", mistral }, { "gemma", gemma }, { "phi", phi },
	    { "zephyr", zephyr }, { "alpaca", alpaca } };

	for (size_t i = 0; i < BASE_COUNT(all); i++)
		if (strcmp(all[i].name, name) == 0)
			return all[i].text;
	return NULL;
}
