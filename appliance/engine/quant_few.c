/* SPDX-License-Identifier: Apache-2.0 */
/* forms that are only read: two and three bits, and codes of a table */
#include "appliance/base/base.h"
#include "appliance/engine/quant.h"
#include "kernels/half.h"

/* what the 16 codes of IQ4_NL and IQ4_XS stand for */
static const int8_t curve[16] = {
	-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113
};

/* E2M1: a sign, two bits of exponent and one of mantissa, doubled */
static const int8_t e2m1[16] = {
	0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12
};

static float
half_at(const unsigned char *p)
{
	return half_f16((uint16_t)(p[0] | p[1] << 8));
}

/* two_bits - number i of 256: 32 bytes have four times 32 of them */
static int
two_bits(const unsigned char *p, int i)
{
	return p[32 * (i / 128) + i % 32] >> i % 128 / 32 * 2 & 3;
}

/* quant_q2_k - 16 bytes, each a scale and a minimum of 16 numbers in 4 bits;
 * the numbers; what scales and minima are multiplied by */
void
quant_q2_k(const unsigned char *in, float *out, size_t n)
{
	for (; n > 0; n--, in += 84, out += 256) {
		float d = half_at(in + 80), dmin = half_at(in + 82);

		for (int i = 0; i < 256; i++) {
			float scale = d * (float)(in[i / 16] & 15);
			float min = dmin * (float)(in[i / 16] >> 4);

			out[i] = scale * (float)two_bits(in + 16, i) - min;
		}
	}
}

/*
 * quant_q3_k - 32 bytes of third bits, of which 0 takes 4 off; the lower two;
 * 16 scales of 6 bits: four bits of the first 8 in the low halves of 8 bytes
 * and of the others in the high ones, the upper two bits in the 4 bytes behind
 * them.
 */
void
quant_q3_k(const unsigned char *in, float *out, size_t n)
{
	const unsigned char *s;

	for (; n > 0; n--, in += 110, out += 256) {
		float d = half_at(in + 108);

		s = in + 96;
		for (int i = 0; i < 256; i++) {
			int k = i / 16;
			int scale = (s[k % 8] >> k / 8 * 4 & 15) |
			    (s[8 + k % 4] >> k / 4 * 2 & 3) << 4;
			int q = two_bits(in + 32, i) -
			    (in[i % 32] >> i / 32 & 1 ? 0 : 4);

			out[i] = d * (float)(scale - 32) * (float)q;
		}
	}
}

/* looked_up - 16 bytes: 16 numbers in their low halves, then 16 */
static void
looked_up(const unsigned char *in, const int8_t *table, float d, float *out)
{
	for (int i = 0; i < 16; i++) {
		out[i] = d * (float)table[in[i] & 15];
		out[16 + i] = d * (float)table[in[i] >> 4];
	}
}

void
quant_iq4_nl(const unsigned char *in, float *out, size_t n)
{
	for (; n > 0; n--, in += 18, out += 32)
		looked_up(in + 2, curve, half_at(in), out);
}

/* quant_iq4_xs - 8 parts; the upper two bits of their scales of 6 lie in 2
 * bytes, the lower four in 4 */
void
quant_iq4_xs(const unsigned char *in, float *out, size_t n)
{
	for (; n > 0; n--, in += 136, out += 256) {
		float d = half_at(in);
		int high = in[2] | in[3] << 8;

		for (int i = 0; i < 8; i++) {
			int scale = (in[4 + i / 2] >> i % 2 * 4 & 15) |
			    (high >> 2 * i & 3) << 4;

			looked_up(in + 8 + 16 * i, curve, d * (float)(scale -
			    32), out + 32 * i);
		}
	}
}

/* quant_mxfp4 - OCP Microscaling 1.0: a power of two (E8M0), halved because
 * the table is doubled */
void
quant_mxfp4(const unsigned char *in, float *out, size_t n)
{
	for (; n > 0; n--, in += 17, out += 32) {
		uint32_t bits = in[0] < 2 ? 0x00200000u << in[0] :
		    (uint32_t)(in[0] - 1) << 23;
		float d;

		memcpy(&d, &bits, sizeof(d));
		looked_up(in + 1, e2m1, d, out);
	}
}
