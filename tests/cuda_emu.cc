/* SPDX-License-Identifier: Apache-2.0 */
/* The CUDA device on a machine without a GPU: cuda_emu.cuh.  It is a device as
 * kernels/cuda.so is, which tests load themselves or put in that one's place */
#include "kernels/cuda/cuda.cu"
