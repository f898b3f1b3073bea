package tiered

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"testing"

	"github.com/mandate-health/mandate/identity/federation/openid"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/oauth/udap"
)

// plainly keeps attempts without a seal.
type plainly struct{}

func (plainly) Seal(_ context.Context, v any) (string, error) {
	raw, err := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(raw), err
}

func (plainly) Open(_ context.Context, sealed string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return nil, errs.New(errs.Unauthenticated, "handle-invalid", "It was not sealed here.")
	}
	return raw, nil
}

// nobody fails the test when somebody is asked over the network.
type nobody struct{ t *testing.T }

func (n nobody) RoundTrip(r *http.Request) (*http.Response, error) {
	n.t.Errorf("%s was asked", r.URL)
	return nil, http.ErrServerClosed
}

func newService(t *testing.T, development bool) (*Service, *clock.Movable) {
	t.Helper()
	c := &clock.Movable{}
	return New(Deps{
		Trust: &udap.Trust{Clock: c}, Base: "https://clinic.example/fhir", Callback: "https://clinic.example/back", Name: "Clinic",
		HTTP: &http.Client{Transport: nobody{t}}, Sealer: plainly{}, Clock: c, IDs: ids.Source{}, Development: development,
	}), c
}

// UDP-33: an address that is none is never asked, and plain http only on this
// machine in development.
func TestAddressesOfProviders(t *testing.T) {
	strict, _ := newService(t, false)
	dev, _ := newService(t, true)
	for idp, want := range map[string][2]bool{
		"https://idp.example": {true, true}, "https://idp.example/base": {true, true}, "http://127.0.0.1:1": {false, true}, "http://localhost/x": {false, true},
		"http://[::1]:1": {false, true}, "http://idp.example": {false, false}, "http://localhost.example": {false, false}, "https://user@idp.example": {false, false},
		"https://idp.example?x=1": {false, false}, "https://idp.example#x": {false, false}, "https://": {false, false}, "idp": {false, false}, "": {false, false},
		"file:///etc/passwd": {false, false}, "javascript:alert(1)": {false, false},
	} {
		if got := [2]bool{strict.address(idp), dev.address(idp)}; got != want {
			t.Errorf("%q: %v, not %v", idp, got, want)
		}
		if err := strict.Trusted(t.Context(), idp); !errs.Is(err, errs.InvalidIDP) || errs.As(err).Code != "idp-not-trusted" {
			t.Errorf("%q without a community: %v", idp, err)
		}
	}
}

// Whoever names many providers makes the server forget none that is trusted, nor
// under which name it is registered there.
func TestNothingPushesOutATrustedProvider(t *testing.T) {
	s, c := newService(t, false)
	const idp = "https://idp.example"
	trusted := &provider{idp: idp}
	s.note(idp, true, func(have *kept) {
		have.provider, have.until = trusted, c.Now().Add(keepTrusted)
		have.client, have.clientUntil = "clinic", c.Now().Add(keepClient)
	})
	for i := range 10 * maxProviders {
		if err := s.Trusted(t.Context(), "https://stranger.example/"+strconv.Itoa(i)); !errs.Is(err, errs.InvalidIDP) {
			t.Fatal(err)
		}
	}
	if p, err := s.provider(t.Context(), idp); err != nil || p != trusted {
		t.Errorf("%v %v", p, err)
	}
	if id, err := s.client(t.Context(), trusted); err != nil || id != "clinic" {
		t.Errorf("%q %v", id, err)
	}
	if n := s.kept.Len(); n > maxProviders {
		t.Errorf("%d providers are kept", n)
	}
}

// UDP-34: a state that was not made here, and an answer in another's name, end
// without anybody being asked.
func TestForgedAnswers(t *testing.T) {
	s, _ := newService(t, false)
	state, err := plainly{}.Seal(t.Context(), attempt{Flow: "f", Attempt: openid.Attempt{Issuer: "https://idp.example", ClientID: "me", Nonce: "n"}})
	if err != nil {
		t.Fatal(err)
	}
	if s.Flow(t.Context(), state) != "f" || s.Flow(t.Context(), "!") != "" {
		t.Error("a state leads to another request")
	}
	for what, r := range map[string]Returned{
		"no state": {Code: "c"}, "a forged state": {State: "!", Code: "c"}, "no code": {State: state},
		"another issuer": {State: state, Code: "c", Issuer: "https://other.example"}, "a provider that is not trusted": {State: state, Code: "c"},
	} {
		if v, err := s.Finish(t.Context(), r); !errs.Is(err, errs.Internal) || v.Username != "" {
			t.Errorf("%s: %+v %v", what, v, err)
		}
	}
}
