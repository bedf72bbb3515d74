#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Models of infer.sh, and its peer.

  infer.py make FILE SHAPE FORM
      a GGUF file of random weights: SHAPE 124m or 1.1b, FORM q8 (Q8_0) or q4
      (Q4_0, with Q6_K for the output, as llama-quantize writes it)
  infer.py run FILE THREADS PROMPT
      the lines of tests/bench/infer for llama.cpp
"""
import ctypes, resource, statistics, struct, sys, time

SHAPES = {  # L C H G F V, tied
    "124m": (12, 768, 12, 12, 2048, 50257, True),
    "1.1b": (22, 2048, 32, 4, 5632, 32000, False),
}
F32, Q4_0, Q8_0, Q6_K = 0, 2, 8, 14
BLOCK = {F32: (1, 4), Q4_0: (32, 18), Q8_0: (32, 34), Q6_K: (256, 210)}
SEATS, STEPS, DEEP = 32, 24, 4


def string(s):
    s = s.encode()
    return struct.pack("<Q", len(s)) + s


def value(v):
    if isinstance(v, str):
        return struct.pack("<I", 8) + string(v)
    if isinstance(v, bool):
        return struct.pack("<IB", 7, v)
    if isinstance(v, float):
        return struct.pack("<If", 6, v)
    if isinstance(v, int):
        return struct.pack("<II", 4, v)
    head = struct.pack("<I", 9)
    if isinstance(v[0], str):
        return head + struct.pack("<IQ", 8, len(v)) + b"".join(map(string, v))
    return head + struct.pack(f"<IQ{len(v)}i", 5, len(v), *v)


def byte_words():
    """GPT-2's printable stand-ins for the 256 bytes"""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in plain]
    return [chr(b) for b in plain] + [chr(256 + i) for i in range(len(rest))]


def numbers(random, form, n):
    import numpy
    if form == F32:
        return numpy.ones(n, "<f4").tobytes()
    per, size = BLOCK[form]
    raw = random.integers(0, 256, (n // per, size), dtype=numpy.uint8)
    half = {Q4_0: 0.0043, Q8_0: 0.00027, Q6_K: 0.000068}[form]
    half = numpy.frombuffer(numpy.float16(half).tobytes(), numpy.uint8)
    if form == Q6_K:
        raw[:, 192:208] = 16
        raw[:, 208:] = half
    else:
        raw[:, :2] = half
    return raw.tobytes()


def make(path, shape, form):
    import numpy
    L, C, H, G, F, V, tied = SHAPES[shape]
    kv, body = C // H * G, Q8_0 if form == "q8" else Q4_0
    head = Q8_0 if form == "q8" else Q6_K
    tensors = [("token_embd.weight", (C, V), head if tied else body),
               ("output_norm.weight", (C,), F32)]
    if not tied:
        tensors.append(("output.weight", (C, V), head))
    for i in range(L):
        for name, dims, kind in (
                ("attn_norm", (C,), F32), ("attn_q", (C, C), body),
                ("attn_k", (C, kv), body), ("attn_v", (C, kv), body),
                ("attn_output", (C, C), body), ("ffn_norm", (C,), F32),
                ("ffn_gate", (C, F), body), ("ffn_up", (C, F), body),
                ("ffn_down", (F, C), body)):
            tensors.append((f"blk.{i}.{name}.weight", dims, kind))
    words = byte_words()
    words += [f"<w{i}>" for i in range(len(words), V)]
    keys = {
        "general.architecture": "llama", "llama.block_count": L,
        "llama.context_length": 4096, "llama.embedding_length": C,
        "llama.feed_forward_length": F, "llama.attention.head_count": H,
        "llama.attention.head_count_kv": G, "llama.vocab_size": V,
        "llama.rope.dimension_count": C // H, "llama.rope.freq_base": 10000.0,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": words,
        "tokenizer.ggml.token_type": [1] * V,
        "tokenizer.ggml.merges": [words[68] + " " + words[69]],
        "tokenizer.ggml.bos_token_id": V - 1,
        "tokenizer.ggml.eos_token_id": V - 1,
    }
    words[256] = words[68] + words[69]
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(keys))
    head += b"".join(string(k) + value(v) for k, v in keys.items())
    at = 0
    for name, dims, kind in tensors:
        per, size = BLOCK[kind]
        n = 1
        for d in dims:
            n *= d
        head += string(name) + struct.pack(
            f"<I{len(dims)}QIQ", len(dims), *dims, kind, at)
        at += (n // per * size + 31) // 32 * 32
    random = numpy.random.default_rng(1)
    with open(path, "wb") as f:
        f.write(head + bytes(-len(head) % 32))
        for name, dims, kind in tensors:
            n = 1
            for d in dims:
                n *= d
            raw = numbers(random, kind, n)
            f.write(raw + bytes(-len(raw) % 32))


class Peer:
    def __init__(self, path, threads, prompt):
        import llama_cpp as L
        self.L = L
        L.llama_backend_init()
        quiet = L.llama_log_callback(lambda *_: None)
        L.llama_log_set(quiet, None)
        self.quiet = quiet
        self.model = L.llama_model_load_from_file(
            path.encode(), L.llama_model_default_params())
        p = L.llama_context_default_params()
        p.n_ctx = (prompt * DEEP + STEPS + 255) // 256 * 256 + SEATS * 64
        p.n_batch, p.n_ubatch, p.n_seq_max = 2048, 512, SEATS
        p.n_threads = p.n_threads_batch = threads
        p.kv_unified = True
        self.ctx = L.llama_init_from_model(self.model, p)
        self.batch = L.llama_batch_init(2048, 0, SEATS)

    def forget(self):
        self.L.llama_memory_clear(self.L.llama_get_memory(self.ctx), True)

    def step(self, n, side, at):
        b = self.batch
        b.n_tokens = n
        for i in range(n):
            b.token[i] = (at * 31 + i * 7) % 251
            b.pos[i] = at if side else at + i
            b.n_seq_id[i] = 1
            b.seq_id[i][0] = i if side else 0
            b.logits[i] = side or i == n - 1
        t = time.process_time()
        if self.L.llama_decode(self.ctx, b) != 0:
            sys.exit("llama_decode failed")
        self.L.llama_get_logits_ith(self.ctx, n - 1)[0]
        return time.process_time() - t

    def prefill(self, upto):
        t = at = 0
        while at < upto:
            n = min(512, upto - at)
            t += self.step(n, False, at)
            at += n
        return t

    def decode(self, n, at):
        return n / statistics.median(
            self.step(n, True, at + i) for i in range(STEPS))


def run(path, threads, prompt):
    import llama_cpp  # its own loading is not the peer's start
    wall, cpu = time.monotonic(), time.process_time()
    p = Peer(path, threads, prompt)
    p.step(1, True, 0)
    print(f"start_ms {(time.monotonic() - wall) * 1e3:.0f}")
    print(f"start_cpu_ms {(time.process_time() - cpu) * 1e3:.0f}")
    p.forget()
    print(f"prefill {prompt / p.prefill(prompt):.1f}")
    print(f"decode_1 {p.decode(1, prompt):.2f}")
    p.forget()
    for at in range(8):
        p.step(SEATS, True, at)
    print(f"decode_32 {p.decode(SEATS, 8):.2f}")
    p.forget()
    print(f"prefill_deep {prompt * DEEP / p.prefill(prompt * DEEP):.1f}")
    print(f"decode_deep {p.decode(1, prompt * DEEP):.2f}")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"rss_mib {most / 1024:.0f}", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(*sys.argv[2:5])
    else:
        run(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
