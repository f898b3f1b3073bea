package app

import (
	"context"
	"encoding/json"
	"net/url"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/upstream"
	"github.com/mandate-health/mandate/identity/federation"
	"github.com/mandate-health/mandate/identity/federation/openid"
	"github.com/mandate-health/mandate/identity/federation/saml"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
	web "github.com/mandate-health/mandate/web/federation"
	"github.com/mandate-health/mandate/web/pages"
)

// boundElsewhere keeps the sealed attempts of each provider apart.
const boundElsewhere = "signin-elsewhere:"

// newFederation serves the providers of the tenant. Errors: the faults of their
// files.
func (t *tenant) newFederation() (*web.Handler, error) {
	all, err := t.cfg.Federation.read(t.cfg.Dev)
	if err != nil {
		return nil, err
	}
	d := web.Deps{
		Accounts: t.identity, Session: t.session, Find: finder{t.record}, Base: t.site.FHIRBase, Issuer: t.site.Issuer,
		Page: t.problem.HTML, Refuse: t.problem.OAuth, Log: t.answerFailed,
	}
	for _, p := range all {
		if p.about().Serves(t.id) {
			d.Providers = append(d.Providers, t.upstreamClient(p))
		}
	}
	return web.New(d), nil
}

// upstreamClient speaks to one provider in its protocol.
func (t *tenant) upstreamClient(p upstreamProvider) federation.Client {
	id := p.about().ID
	at := func(path string) string { return t.site.Issuer + web.At(path, id) }
	sealer, asks := attempts{t.ring, t.id, boundElsewhere + id}, clientauth.NewPublicClient(t.cfg.Dev, nil)
	if p.saml != nil {
		return saml.New(saml.Deps{
			Provider: *p.saml, Entity: at(web.MetadataPath), Receiver: at(web.ReceivePath), Callback: at(web.CallbackPath),
			HTTP: asks, Answers: answers{t, id}, Sealer: sealer, Clock: t.clock, IDs: t.ids, Development: t.cfg.Dev,
		})
	}
	return openid.New(openid.Deps{
		Provider: *p.openID, Callback: at(web.CallbackPath), HTTP: asks,
		Keys: t.auth.Keys, Sealer: sealer, Clock: t.clock, IDs: t.ids, Development: t.cfg.Dev,
	})
}

// answers keeps what a provider of the tenant posted, by keyed hashes.
type answers struct {
	*tenant
	provider string
}

func (a answers) hash(handle string) string {
	return a.hasher.Hash("upstream-answer", a.provider+"\x00"+handle)
}

// Keep implements saml.Answers.
func (a answers) Keep(ctx context.Context, handle, sealed string, until time.Time) error {
	return a.store.KeepAnswer(ctx, a.id, a.hash(handle), sealed, until)
}

// Take implements saml.Answers.
func (a answers) Take(ctx context.Context, handle string) (string, error) {
	return a.store.TakeAnswer(ctx, a.id, a.hash(handle), a.clock.Now())
}

// answerFailed tells the log why nobody was signed in by a provider.
func (t *tenant) answerFailed(ctx context.Context, provider string, err error) {
	e := errs.As(err)
	t.log.WarnContext(ctx, "nobody was signed in by an identity provider", "name", provider, "tenant", t.id, "code", e.Code, "err", err)
}

// elsewhere gives the providers of a sign-in page.
func elsewhere(h *web.Handler) func(staff bool, next string) []pages.Elsewhere {
	return func(staff bool, next string) []pages.Elsewhere {
		if staff {
			return h.Offers(federation.ForStaff, next)
		}
		return h.Offers(federation.ForPatients, next)
	}
}

// finder looks up who has an identifier in the record behind.
type finder struct{ record *upstream.Client }

// ByIdentifier implements federation.Finder.
func (f finder) ByIdentifier(ctx context.Context, typ, system, value string, limit int) (hits []federation.Hit, err error) {
	err = f.record.Search(ctx, typ, url.Values{"identifier": {system + "|" + value}, "_count": {"10"}}, func(raw []byte) error {
		var one struct {
			Type      string `json:"resourceType"`
			ID        string `json:"id"`
			BirthDate string `json:"birthDate"`
		}
		if err := json.Unmarshal(raw, &one); err != nil {
			return errs.Wrap(err, errs.Upstream, "upstream-answer-unreadable", "The FHIR server's answer cannot be read.")
		}
		if ref := (fhir.Reference{Type: one.Type, ID: one.ID}); one.Type == typ && one.ID != "" && len(hits) < limit {
			hits = append(hits, federation.Hit{Reference: ref, BirthDate: one.BirthDate})
		}
		return nil
	})
	return hits, err
}
