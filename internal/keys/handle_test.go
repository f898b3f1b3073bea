package keys

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
)

// handles is a node whose tenant t has sealed a handle.
type handles struct {
	*Ring
	store *memory
	clock *clock.Movable
}

func newHandles() handles {
	c := &clock.Movable{}
	store := &memory{}
	return handles{NewRing(store, c), store, c}
}

func (h handles) seal(t *testing.T) string {
	t.Helper()
	handle, err := h.SealHandle(t.Context(), "t", "here", claims{"Rosa Alvarez"})
	if err != nil {
		t.Fatal(err)
	}
	return handle
}

// kid gives the id of the key that sealed a handle.
func (h handles) kid(t *testing.T, handle string) string {
	t.Helper()
	kid, _, _, err := parseHandle(handle)
	if err != nil {
		t.Fatal(err)
	}
	return kid
}

func (h handles) wantOpen(t *testing.T, handle string) {
	t.Helper()
	plain, err := h.OpenHandle(t.Context(), "t", "here", handle)
	var got claims
	if err != nil || json.Unmarshal(plain, &got) != nil || got.Sub != "Rosa Alvarez" {
		t.Errorf("%s %v", plain, err)
	}
}

func (h handles) wantRefused(t *testing.T, what, tenant, bound, handle string) {
	t.Helper()
	if plain, err := h.OpenHandle(t.Context(), tenant, bound, handle); !errs.Is(err, errs.Unauthenticated) || errs.As(err).Code != "token-invalid" || plain != nil {
		t.Errorf("%s: %s %v", what, plain, err)
	}
}

// D2: a handle gives its claims back to the server and says nothing to anybody
// else; two of the same claims share nothing but the id of their key.
func TestHandleIsOpaque(t *testing.T) {
	h := newHandles()
	a, b := h.seal(t), h.seal(t)
	h.wantOpen(t, a)
	h.wantOpen(t, b)
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(a, HandlePrefix))
	if err != nil || strings.Contains(string(raw), "Rosa") || strings.Contains(a, ".") || !IsHandle(a) {
		t.Errorf("%q %v", raw, err)
	}
	shared := len(HandlePrefix) + handleKIDSize*8/6
	if a[:shared] != b[:shared] || a[shared:shared+16] == b[shared:shared+16] {
		t.Errorf("%s\n%s", a, b)
	}
}

// D2, D13: a handle that was changed in any place, cut or put together anew is
// no token, nor is one at another tenant or for another server.
func TestHandleRefuses(t *testing.T) {
	h := newHandles()
	good := h.seal(t)
	for i := range good {
		for _, c := range []byte("A-") {
			changed := []byte(good)
			if changed[i] == c {
				continue
			}
			changed[i] = c
			h.wantRefused(t, "changed", "t", "here", string(changed))
		}
		h.wantRefused(t, "cut", "t", "here", good[:i])
	}
	other := h.seal(t)
	half := len(good) / 2
	h.wantRefused(t, "joined", "t", "here", good[:half]+other[half:])
	for _, more := range []string{"A", "=", "\n", " ", "AAAA"} {
		h.wantRefused(t, "longer", "t", "here", good+more)
		h.wantRefused(t, "stretched", "t", "here", good[:half]+more+good[half:])
	}
	h.wantRefused(t, "elsewhere", "t", "there", good)
	if _, err := h.SealHandle(t.Context(), "u", "here", claims{"u"}); err != nil {
		t.Fatal(err)
	}
	signed, err := h.Sign(t.Context(), "t", UseAccessToken, "at+jwt", claims{"a"})
	if err != nil {
		t.Fatal(err)
	}
	h.wantRefused(t, "a signed token", "t", "here", signed)
	h.wantRefused(t, "a signed token in disguise", "t", "here", HandlePrefix+signed)
	if _, err := h.Verify(t.Context(), "t", UseAccessToken, "at+jwt", good); !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("a handle as a signed token: %v", err)
	}
	h.wantOpen(t, good)
}

// D13: another tenant's keys open nothing, whatever else is the same.
func TestHandleOfAnotherTenant(t *testing.T) {
	h, other := newHandles(), newHandles()
	good := h.seal(t)
	other.seal(t)
	other.wantRefused(t, "another tenant", "t", "here", good)
	stolen := h.store.keys[slices.IndexFunc(h.store.keys, func(k SigningKey) bool { return k.Use == UseAccessHandle })]
	stolen.Private = Random(keySize)
	other.store.keys = append(other.store.keys, stolen)
	if err := other.Reload(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	other.wantRefused(t, "the same id of another key", "t", "here", good)
}

// SE-03: the key of handles is rotated beside running servers; the older one
// opens in the overlap, and one that others may know opens nothing.
func TestHandleKeysRotate(t *testing.T) {
	h := newHandles()
	if slices.ContainsFunc(h.store.keys, func(k SigningKey) bool { return k.Use == UseAccessHandle }) {
		t.Error("a key is made although nobody asked for handles")
	}
	custodian := custody(h.store, h.Ring, h.clock)
	if err := h.PrepareHandles(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	node := NewRing(h.store, h.clock)
	if err := node.Open(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	old := h.seal(t)
	next, err := custodian.RotateSigning(t.Context(), "t", UseAccessHandle, Announce)
	if err != nil {
		t.Fatal(err)
	}
	announced := h.seal(t)
	if h.kid(t, announced) != h.kid(t, old) {
		t.Error("sealed with a key while it was announced")
	}
	h.clock.Advance(Announce)
	fresh := h.seal(t)
	if h.kid(t, fresh) != next.KID {
		t.Error("the new key does not seal")
	}
	for _, handle := range []string{old, announced, fresh} {
		h.wantOpen(t, handle)
		handles{node, h.store, h.clock}.wantOpen(t, handle)
	}
	h.clock.Advance(Overlap + time.Minute)
	if err := custodian.TendSigning(t.Context(), "t", SigningEvery); err != nil {
		t.Fatal(err)
	}
	h.wantRefused(t, "after the overlap", "t", "here", old)
	h.wantOpen(t, fresh)
	if err := custodian.RevokeSigning(t.Context(), "t", next.KID); err != nil {
		t.Fatal(err)
	}
	h.wantRefused(t, "of a key that others may know", "t", "here", fresh)
	h.wantOpen(t, h.seal(t))
}

// SMART OID-03: the key of handles is a secret as a whole, so nothing of it is
// in the published key set; keys of uses that only a newer version knows disturb
// nobody.
func TestHandleKeyIsNotPublished(t *testing.T) {
	h := newHandles()
	handle := h.seal(t)
	if err := h.store.PutSigningKey(t.Context(), SigningKey{Tenant: "t", KID: "n", Use: "newer", Alg: "new", Private: []byte{1}}); err != nil {
		t.Fatal(err)
	}
	if err := h.Reload(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	set, err := h.JWKS(t.Context(), "t")
	if err != nil || strings.Contains(string(set), h.kid(t, handle)) || strings.Count(string(set), `"kid"`) != 3 || strings.Contains(string(set), `"oct"`) {
		t.Errorf("%s %v", set, err)
	}
	k := h.store.keys[slices.IndexFunc(h.store.keys, func(k SigningKey) bool { return k.Use == UseAccessHandle })]
	for name, change := range map[string]func(*SigningKey){
		"short":             func(k *SigningKey) { k.Private = k.Private[1:] },
		"another algorithm": func(k *SigningKey) { k.Alg = "ES256" },
	} {
		bad := k
		change(&bad)
		if _, err := openKey(bad); !errs.Is(err, errs.Internal) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzHandle: no text but a sealed one opens, and none breaks the parser.
func FuzzHandle(f *testing.F) {
	h := newHandles()
	good, err := h.SealHandle(f.Context(), "t", "here", claims{"a"})
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{good, good[:40], HandlePrefix, "", "eyJhbGciOiJFUzI1NiJ9.e30.AA", HandlePrefix + strings.Repeat("A", 64)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		plain, err := h.OpenHandle(t.Context(), "t", "here", text)
		if text != good && (plain != nil || !errs.Is(err, errs.Unauthenticated)) {
			t.Errorf("%q: %s %v", text, plain, err)
		}
	})
}
