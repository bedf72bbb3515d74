# SPDX-License-Identifier: Apache-2.0
"""family.py DIR CASE TOKENIZER.JSON: a model of random weights as transformers saves it.

The sizes are those of the cases of golden_models.py; weights are large enough that a wrong place
shows."""
import os
import shutil
import sys

import torch
from golden_models import CASES
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForCausalLM

end = Tokenizer.from_file(sys.argv[3]).token_to_id("<|endoftext|>")
args = dict(CASES[sys.argv[2]], vocab_size=2048, bos_token_id=end, eos_token_id=end)
if sys.argv[2] == "gpt2":
    args["n_positions"] = 256
else:
    args["max_position_embeddings"] = 256
torch.manual_seed(3)
model = AutoModelForCausalLM.from_config(AutoConfig.for_model(args.pop("model_type"), **args))
with torch.no_grad():
    for p in model.parameters():
        p.add_(torch.randn_like(p) * 0.1)
model.save_pretrained(sys.argv[1])
shutil.copy(sys.argv[3], os.path.join(sys.argv[1], "tokenizer.json"))
