package local

import (
	"crypto/subtle"

	"github.com/mandate-health/mandate/internal/keys"
)

// Shamir's secret sharing over GF(2^8) with the polynomial of AES: each byte of
// the secret is the constant of a random polynomial of degree threshold-1, and
// a share is its value at a point other than 0. Fewer than threshold shares say
// nothing at all about the secret.

// mul multiplies in GF(2^8), in the same time for all values.
func mul(a, b byte) byte {
	var p byte
	for range 8 {
		p ^= a & -(b & 1)
		a = a<<1 ^ 0x1b&-(a>>7)
		b >>= 1
	}
	return p
}

// inverse gives a^254, which is 1/a for every a but 0.
func inverse(a byte) byte {
	out := byte(1)
	for range 254 {
		out = mul(out, a)
	}
	return out
}

// divide gives the values of n shares at the points 1…n.
func divide(secret []byte, n, threshold int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = make([]byte, len(secret))
	}
	for at, constant := range secret {
		polynomial := append([]byte{constant}, keys.Random(threshold-1)...)
		for i := range out {
			x, y := byte(i+1), byte(0)
			for c := threshold - 1; c >= 0; c-- {
				y = mul(y, x) ^ polynomial[c]
			}
			out[i][at] = y
		}
	}
	return out
}

// combine gives the values at 0 of the polynomials through the points. The
// points must differ and none be 0.
func combine(points []byte, values [][]byte) []byte {
	out := make([]byte, len(values[0]))
	for i, x := range points {
		weight := byte(1)
		for j, other := range points {
			if i != j {
				weight = mul(weight, mul(other, inverse(x^other)))
			}
		}
		term := make([]byte, len(out))
		for at, y := range values[i] {
			term[at] = mul(y, weight)
		}
		subtle.XORBytes(out, out, term)
	}
	return out
}
