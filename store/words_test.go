package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mandate-health/mandate/audit"
)

// Whatever is shortened comes back as it was, one text behind the other, and
// nothing that was cut is taken for a text.
func TestShortTextsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.SampledFrom(textWords()), rapid.StringMatching(`[0-9a-f]{32}`), rapid.StringMatching(`[0-9a-f]{64}`), rapid.StringMatching(`[0-9a-zA-Z_-]{43}`), rapid.StringMatching("[0-9a-zA-Z_-]{42}\n"),
			rapid.StringMatching(`Consent/[0-9a-f]{32}/_history/[0-9]{1,4}`), rapid.StringMatching(`[0-9]{1,3}\.[0-9]{1,3}\.[0-9]\.[0-9]`),
			rapid.StringMatching(`[0-9a-f]{1,4}::[0-9a-f]{0,4}`), rapid.StringMatching(`::ffff:[0-9]{1,2}\.[0-9]\.[0-9]\.[0-9]`), rapid.StringN(300, 400, -1))
		all := rapid.SliceOf(text).Draw(t, "texts")
		short := shortenAll(nil, all)
		r := shortReader{b: short}
		if back := r.texts(); fmt.Sprintf("%q", back) != fmt.Sprintf("%q", all) || r.err != nil || len(r.b) > 0 {
			t.Fatalf("%q, %v, %d left", back, r.err, len(r.b))
		}
		one := text.Draw(t, "one")
		short = shorten(nil, one)
		if cut := (shortReader{b: short[:len(short)-1]}); len(short) > 1 && cut.text() == one && cut.err == nil {
			t.Fatalf("a cut text was taken: %q", one)
		}
	})
	// What strangers wrote is refused and does no harm.
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SliceOf(rapid.Byte()).Draw(t, "raw")
		var e audit.Event
		_, _ = openHead(&e, raw), openBody(&e, append([]byte{packedBody}, raw...))
	})
}

// What is stored was written with these words.
func TestWordsStayAsTheyAre(t *testing.T) {
	words := textWords()
	if sum := sha256.Sum256([]byte(strings.Join(words[:125], "\n"))); hex.EncodeToString(sum[:8]) != "d5f79b1113b67b82" || len(words) > 127 {
		t.Errorf("the first words are others: %x; %d words", sum[:8], len(words))
	}
	seen := map[string]bool{}
	for _, w := range words {
		if seen[w] || w == "" {
			t.Errorf("%q is there twice, or empty", w)
		}
		seen[w] = true
	}
	for want, text := range map[string]string{
		"0180": "token.issued", "f1000102030405060708090a0b0c0d0e0f": "000102030405060708090a0b0c0d0e0f", "f47f000001": "127.0.0.1",
		"04ffc3ffa9": "é", "00": "", "03bcd4c0": "patient/Observation.rs",
	} {
		if got := hex.EncodeToString(shorten(nil, text)); got != want {
			t.Errorf("%q is written as %s", text, got)
		}
	}
}

// The id of an entry tells its time and sorts by it.
func TestEntryIDs(t *testing.T) {
	unique := bytes.Repeat([]byte{7}, 8)
	rapid.Check(t, func(t *rapid.T) {
		moment := rapid.Custom(func(t *rapid.T) time.Time { return time.UnixMicro(rapid.Int64Range(1, 1<<57).Draw(t, "us")).UTC() })
		a, b := moment.Draw(t, "a"), moment.Draw(t, "b")
		one, ok := entryID(a, unique)
		two, ok2 := entryID(b, unique)
		key, known := entryKey(hex.EncodeToString(one))
		if !ok || !ok2 || !known || !entryTime(key).Equal(a) || bytes.Compare(one, two) != a.Compare(b) {
			t.Fatalf("%x %x", one, two)
		}
	})
	for _, odd := range []time.Time{{}, time.Unix(0, 0), time.Unix(-1, 0), time.Date(19999, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if id, ok := entryID(odd, unique); ok {
			t.Errorf("%v: %x", odd, id)
		}
	}
}
