package ids_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/ids"
)

// twoKeys has a first key without a mark and one that is the newest from the
// time 10 on.
type twoKeys struct{ now *int64 }

func (twoKeys) HashKey(mark string) *ids.HashKey {
	switch mark {
	case "":
		return ids.NewHashKey([]byte("first"))
	default:
		return ids.NewHashKey([]byte("second"))
	}
}

func (k twoKeys) NewestHashKey(at time.Time) (string, *ids.HashKey) {
	if at.IsZero() {
		at = time.Unix(*k.now, 0)
	}
	if at.Before(time.Unix(10, 0)) {
		return "", k.HashKey("")
	}
	return "k2~", k.HashKey("k2~")
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

// oneKey is always the newest, without a mark.
type oneKey struct{ key *ids.HashKey }

func (k oneKey) HashKey(string) *ids.HashKey                    { return k.key }
func (k oneKey) NewestHashKey(time.Time) (string, *ids.HashKey) { return "", k.key }

// A key that was prepared gives the HMAC of RFC 2104 each time, to many at once,
// whatever was hashed before.
func TestAPreparedKeyForgetsWhatItHashed(t *testing.T) {
	h := ids.Hasher{Keys: oneKey{ids.NewHashKey([]byte("secret"))}}
	want := func(text string) string {
		m := hmac.New(sha256.New, []byte("secret"))
		m.Write([]byte("code\x00" + text))
		return string(m.Sum(nil))
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 200 {
				text := strings.Repeat("x", (i*37+j)%97)
				if string(h.Sum("code", text)) != want(text) {
					t.Errorf("%d bytes", len(text))
				}
			}
		})
	}
	all.Wait()
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

// What was given out is known again without a look-up, under an older key too, and
// nothing else is.
func TestOwnIsKnownAgain(t *testing.T) {
	now := int64(1)
	h := ids.Hasher{Keys: twoKeys{&now}}
	old := h.Own(ids.Source{})
	now = 20
	fresh := h.Own(ids.Source{})
	if len(old) != 43 || !strings.HasPrefix(fresh, "k2~") || !h.Made(old) || !h.Made(fresh) {
		t.Errorf("%q and %q", old, fresh)
	}
	for _, text := range []string{"", "k2~", "k2~" + old, strings.TrimPrefix(fresh, "k2~"), old[:42], "B" + old[1:], h.Secret(ids.Source{}), fresh + "A"} {
		if text != old && h.Made(text) {
			t.Errorf("%q counts as ours", text)
		}
	}
	if (ids.Hasher{Key: []byte("other")}).Made(old) {
		t.Error("another tenant's counts")
	}
}
