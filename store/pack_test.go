package store

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// Whatever is packed comes back whole, what was never packed too, and nothing
// that was cut is taken for a value.
func TestPackedValuesComeBack(t *testing.T) {
	var p packer
	rapid.Check(t, func(t *rapid.T) {
		in := append([]byte("{"), bytes.Repeat(rapid.SliceOf(rapid.Byte()).Draw(t, "value"), rapid.IntRange(1, 40).Draw(t, "times"))...)
		packed, err := p.pack(in)
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.unpack(packed)
		if err != nil || !bytes.Equal(in, out) {
			t.Fatalf("%d bytes came back from %d: %v", len(out), len(in), err)
		}
		if packed[0] == packedMark {
			if _, err := p.unpack(packed[:len(packed)-1]); err == nil {
				t.Fatal("a cut value was taken")
			}
		}
	})
	consent := []byte(packWords[len(packWords)-1200:])
	if packed, err := p.pack(consent); err != nil || len(packed) > len(consent)/4 {
		t.Errorf("%d bytes of %d, %v", len(packed), len(consent), err)
	}
}
