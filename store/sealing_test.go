package store_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/oauth/appstate"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/store"
	"github.com/mandate-health/mandate/store/embedded"
)

// mirror stands for encryption: it writes the value backwards, behind the
// place it belongs to, and opens it nowhere else.
type mirror struct{}

const schemeMirror byte = 200

func (mirror) Seal(_ context.Context, _ keys.Source, p keys.Place, plain []byte) (keys.Sealed, error) {
	out := append([]byte{schemeMirror}, fmt.Sprintf("%s|%s|%s|%s|%s|", p.Tenant, p.Table, p.Column, p.Row, p.Subject)...)
	back := slices.Clone(plain)
	slices.Reverse(back)
	return append(out, back...), nil
}

func (mirror) Blind(_ context.Context, _ keys.Source, _ keys.Place, value string) ([]string, error) {
	return []string{value}, nil
}

func (mirror) Stale(context.Context, keys.Source, keys.Place, keys.Sealed) (bool, error) {
	return false, nil
}

func (mirror) Committed(*keys.Kept) {}

func (m mirror) Open(ctx context.Context, src keys.Source, p keys.Place, s keys.Sealed) ([]byte, error) {
	head, err := m.Seal(ctx, src, p, nil)
	if err != nil {
		return nil, err
	}
	back, ok := bytes.CutPrefix(s, head)
	if !ok {
		return nil, errs.New(errs.Internal, "sealed-elsewhere", "")
	}
	plain := slices.Clone(back)
	slices.Reverse(plain)
	return plain, nil
}

// canary is what the disk is searched for.
const canary = "Yellow-Canary-4711"

func fill(t *testing.T, s *store.Store) {
	t.Helper()
	ctx, secret := t.Context(), []byte(canary)
	_, made := s.Secret(ctx, "main", "cookies", func() []byte { return secret })
	for _, step := range []struct {
		what string
		err  error
	}{
		{"person", s.PutPerson(ctx, identity.Person{Tenant: "main", ID: "p", Username: "rosa", Name: canary})},
		{"factor", s.PutFactor(ctx, identity.Factor{Tenant: "main", ID: "f", PersonID: "p", Secret: secret})},
		{"consent", s.PutConsent(ctx, consent.Record{Tenant: "main", ID: "c", Patient: "rosa", JSON: secret}, 0)},
		{"newer", s.PutConsent(ctx, consent.Record{Tenant: "main", ID: "c", Patient: "luis", JSON: secret}, 1)},
		{"related", s.PutRelatedPerson(ctx, proxy.RelatedPerson{Tenant: "main", ID: "r", Patient: "rosa", JSON: secret}, 0)},
		{"older", s.PutRelatedPerson(ctx, proxy.RelatedPerson{Tenant: "main", ID: "r", Patient: "rosa", JSON: secret}, 1)},
		{"key", s.PutSigningKey(ctx, keys.SigningKey{Tenant: "main", KID: "k", Private: secret})},
		{"event", s.AppendAudit(ctx, audit.Event{Tenant: "main", ID: "e", Query: canary, Detail: map[string]string{"x": canary}})},
		{"app state", s.PutAppState(ctx, appstate.State{Tenant: "main", ID: "s", Version: 1, Code: "x|y", Subject: "Patient/rosa", JSON: secret}, 0)},
		{"secret", made},
	} {
		if step.err != nil {
			t.Errorf("%s: %v", step.what, step.err)
		}
	}
}

// What must be encrypted is nowhere on the disk as it is, and comes back whole,
// old versions too although they moved to another table.
func TestSealedColumns(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	engine, err := embedded.Open(ctx, embedded.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	s := store.New(engine, store.Options{Sealer: mirror{}})
	if err := s.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	fill(t, s)
	person, err1 := s.PersonByID(ctx, "main", "p")
	factors, err2 := s.Factors(ctx, "main", "p")
	history, err3 := s.ConsentHistory(ctx, "main", "c")
	older, err4 := s.RelatedPersonVersion(ctx, "main", "r", 1)
	signing, err5 := s.SigningKeys(ctx, "main")
	events, err6 := s.Audits(ctx, audit.Filter{Tenant: "main"})
	state, err7 := s.AppState(ctx, "main", "s")
	for i, err := range []error{err1, err2, err3, err4, err5, err6, err7} {
		if err != nil {
			t.Fatal(i, err)
		}
	}
	for _, got := range []string{person.Name, string(factors[0].Secret), string(history[0].JSON), string(history[1].JSON),
		string(older.JSON), string(signing[0].Private), string(state.JSON), events[0].Query, events[0].Detail["x"]} {
		if got != canary {
			t.Errorf("got %q back", got)
		}
	}

	// A value copied to another row does not open.
	err = engine.InTx(ctx, func(c store.Conn) error {
		_, err := c.Exec(ctx, `UPDATE consent SET json = (SELECT json FROM consent_version WHERE version = $1)`, 1)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.ConsentByID(ctx, "main", "c"); !errs.Is(err, errs.Internal) {
		t.Errorf("a moved value gave %v", err)
	}

	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	searchDisk(t, dir)
}

func searchDisk(t *testing.T, dir string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		content, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte(canary)) {
			t.Errorf("the canary is in %s", f.Name())
		}
	}
}
