package ids_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/ids"
)

// twoKeys has a first key without a mark and one that is the newest from the
// time 10 on.
type twoKeys struct{ now *int64 }

func (twoKeys) HashKey(mark string) []byte {
	switch mark {
	case "":
		return []byte("first")
	default:
		return []byte("second")
	}
}

func (k twoKeys) NewestHashKey(at time.Time) (string, []byte) {
	if at.IsZero() {
		at = time.Unix(*k.now, 0)
	}
	if at.Before(time.Unix(10, 0)) {
		return "", []byte("first")
	}
	return "k2~", []byte("second")
}

// SE-03: a secret is hashed under the key that was the newest when it was made,
// before and after the next one took over.
func TestSecretsKeepTheirKey(t *testing.T) {
	now := int64(1)
	h := ids.Hasher{Keys: twoKeys{&now}}
	first, second := ids.Hasher{Key: []byte("first")}, ids.Hasher{Key: []byte("second")}
	old := h.Secret(ids.Source{})
	if len(old) != 43 || h.Hash("code", old) != first.Hash("code", old) {
		t.Errorf("%q is not hashed under the first key", old)
	}
	now = 20
	fresh := h.Secret(ids.Source{})
	if !strings.HasPrefix(fresh, "k2~") || len(fresh) != 46 || h.Hash("code", fresh) != second.Hash("code", fresh) {
		t.Errorf("%q is not hashed under the second key", fresh)
	}
	if h.Hash("code", old) != first.Hash("code", old) {
		t.Error("an old secret changed its key")
	}
	// What is not a secret goes by its time.
	if a, b := h.At(time.Unix(1, 0)).Hash("form", "text"), h.At(time.Time{}).Hash("form", "text"); a != first.Hash("form", "text") || b != second.Hash("form", "text") {
		t.Error("the time does not choose the key")
	}
	if m := h.Of(fresh).Mark(); m != "k2~" {
		t.Error(m)
	}
	if m := first.At(time.Time{}).Mark() + first.Of(fresh).Mark(); m != "" || len(first.Secret(ids.Source{})) != 43 {
		t.Error("one key alone has a mark")
	}
}

func TestMarks(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "~": "", "~x": "", "abc": "", "abc~": "abc~", "abc~d~e": "abc~", strings.Repeat("a", 16) + "~": "", strings.Repeat("a", 15) + "~": strings.Repeat("a", 15) + "~",
	} {
		if got := ids.Mark(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
