package local

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// FIPS 197 §4.2: the field is that of AES.
func TestField(t *testing.T) {
	if got := mul(0x57, 0x83); got != 0xc1 {
		t.Errorf("57·83 = %x", got)
	}
	for a := 1; a < 256; a++ {
		if mul(byte(a), inverse(byte(a))) != 1 {
			t.Errorf("%d has no inverse", a)
		}
	}
}

// Any threshold of the shares gives the secret back; one less gives another
// value (but for one case in 2^64).
func TestShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.SliceOfN(rapid.Byte(), 8, 40).Draw(t, "secret")
		n := rapid.IntRange(2, 20).Draw(t, "n")
		k := rapid.IntRange(2, n).Draw(t, "k")
		values := divide(secret, n, k)
		points := rapid.Permutation(iota1(n)).Draw(t, "order")[:k]
		var chosen [][]byte
		for _, x := range points {
			chosen = append(chosen, values[x-1])
		}
		if got := combine(points, chosen); !bytes.Equal(got, secret) {
			t.Errorf("%x, want %x", got, secret)
		}
		if got := combine(points[:k-1], chosen[:k-1]); bytes.Equal(got, secret) {
			t.Error("one share less was enough")
		}
	})
}

func iota1(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(i + 1)
	}
	return out
}
