package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
)

// Whatever is packed comes back whole, what was never packed too, and nothing
// that was cut is taken for a value.
func TestPackedValuesComeBack(t *testing.T) {
	var p packer
	rapid.Check(t, func(t *rapid.T) {
		in := append([]byte("{"), bytes.Repeat(rapid.SliceOf(rapid.Byte()).Draw(t, "value"), rapid.IntRange(1, 40).Draw(t, "times"))...)
		mark := rapid.SampledFrom([]byte{packedMark, approvalMark}).Draw(t, "mark")
		packed, err := p.pack(mark, in)
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.unpack(packed)
		if err != nil || !bytes.Equal(in, out) {
			t.Fatalf("%d bytes came back from %d: %v", len(out), len(in), err)
		}
		if packed[0] == mark {
			if _, err := p.unpack(packed[:len(packed)-1]); err == nil {
				t.Fatal("a cut value was taken")
			}
		}
	})
	consent := []byte(packWords[len(packWords)-1200:])
	if packed, err := p.pack(packedMark, consent); err != nil || len(packed) > len(consent)/4 {
		t.Errorf("%d bytes of %d, %v", len(packed), len(consent), err)
	}
}

// What a new connection records of an approval is little more than its names,
// and what is stored was packed with these words.
func TestApprovalsAreShort(t *testing.T) {
	if sum := sha256.Sum256([]byte(packWords + approvalWords)); hex.EncodeToString(sum[:8]) != "b0e05296e04534ef" {
		t.Errorf("other words: %x", sum[:8])
	}
	rec, err := consent.Approval{
		ID: "0f3d1b2a49586776859403122130feed", Patient: "1234", Performer: fhir.Reference{Type: "Patient", ID: "1234"},
		ClientID: "some-app", ClientName: "Some app", Organization: fhir.Reference{Type: "Organization", ID: "mandate"},
		Scopes: []string{"patient/Observation.rs", "patient/Condition.rs"}, At: time.Unix(1.8e9, 0), End: time.Unix(1.9e9, 0),
	}.Record("default")
	if err != nil {
		t.Fatal(err)
	}
	var p packer
	if packed, err := p.pack(approvalMark, rec.JSON); err != nil || len(packed) > 145 {
		t.Errorf("%d bytes of %d: %v", len(packed), len(rec.JSON), err)
	}
}
