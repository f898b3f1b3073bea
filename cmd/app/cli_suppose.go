package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/access/label"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/authority"
	explanation "github.com/mandate-health/mandate/web/explain"
	"github.com/mandate-health/mandate/web/gateway"
)

// supposition is what a replay takes for given in place of what is so.
type supposition struct {
	modes     access.Modes
	labelling *access.Labelling
	// filed is a Consent as it would be filed, withdrawn the id of one that would be
	// withdrawn.
	filed     *consent.Record
	withdrawn string
	// client would be registered for scopes.
	client string
	scopes scope.Set
	text   string
	words  []string
}

// supposed gives the judge that decides under a supposition, beside the one that
// decides now.
func (a *App) supposed(now *explanation.Service, s supposition) (explanation.Judge, error) {
	g, ok := now.Judge.(*gateway.Gateway)
	if !ok {
		return nil, errors.New("the rules cannot be set apart here")
	}
	loader, err := a.newLoader(&supposedConsents{a.store, s, a.cfg.consents(), map[string]*consent.Policy{}}, a.store)
	if err != nil {
		return nil, err
	}
	if s.labelling != nil {
		loader.Labelling = s.labelling
	}
	return supposedScopes{g.Under(s.modes, loader), s}, nil
}

// supposedConsents compiles policies with one Consent changed.
type supposedConsents struct {
	consent.Store
	supposition
	options consent.Options
	known   map[string]*consent.Policy
}

var _ authority.Policies = (*supposedConsents)(nil)

// PolicyFor implements authority.Policies. A replay asks from one goroutine.
func (p *supposedConsents) PolicyFor(ctx context.Context, tenant, patient string) (*consent.Policy, error) {
	if known := p.known[tenant+" "+patient]; known != nil {
		return known, nil
	}
	out, err := consent.LoadPolicy(ctx, p, tenant, patient, 0, p.options)
	if err == nil {
		p.known[tenant+" "+patient] = out
	}
	return out, err
}

// ConsentsOfPatient gives the records with the change.
func (p *supposedConsents) ConsentsOfPatient(ctx context.Context, tenant, patient string) ([]consent.Record, error) {
	out, err := p.Store.ConsentsOfPatient(ctx, tenant, patient)
	out = slices.DeleteFunc(out, func(r consent.Record) bool {
		return r.ID == p.withdrawn || p.filed != nil && r.ID == p.filed.ID
	})
	if p.filed != nil && p.filed.Patient == patient {
		out = append(out, *p.filed)
	}
	return out, err
}

// supposedScopes decides what one client asked as if it were registered for other
// scopes.
type supposedScopes struct {
	under explanation.Judge
	supposition
}

// Judge implements explanation.Judge.
func (j supposedScopes) Judge(ctx context.Context, q gateway.Question) (gateway.Judgement, error) {
	b := &q.Bearer
	switch {
	case j.client == "" || b.Client.ID != j.client && b.Grant.ClientID != j.client:
	case b.System:
		b.Scopes = j.text
	default:
		b.Scopes = narrowed(b.Scopes, j.scopes)
	}
	return j.under.Judge(ctx, q)
}

// narrowed gives what of granted scopes a registration leaves. What is no clinical
// scope stays.
func narrowed(granted string, registered scope.Set) string {
	var clinical scope.Set
	var out []string
	for _, word := range strings.Fields(granted) {
		if s, ok := scope.ParseScope(word); ok {
			clinical = append(clinical, s)
		} else {
			out = append(out, word)
		}
	}
	return strings.Join(append(out, clinical.Intersect(registered).Strings()...), " ")
}

// suppose reads what a replay is to take for given. Errors say what cannot be
// replayed, and why.
func (c *replayCommand) suppose(s *streams, a *App) (supposition, error) {
	out := supposition{modes: a.cfg.Rules.modes(), withdrawn: c.Withdraw}
	var err error
	if c.Policy != "" {
		if out.modes, err = c.modes(s); err != nil {
			return out, err
		}
		out.words = append(out.words, "rules: "+orElse(out.modes.String(), "every rule is enforced"))
	}
	if c.Labels != "" {
		if out.labelling, err = c.labelling(s, a); err != nil {
			return out, err
		}
		out.words = append(out.words, "value sets "+out.labelling.Version)
	}
	if c.Consent != "" {
		if out.filed, err = c.filed(s); err != nil {
			return out, err
		}
		out.words = append(out.words, "Consent/"+out.filed.ID+" of Patient/"+out.filed.Patient+" filed")
	}
	if c.Withdraw != "" {
		rec, err := a.store.ConsentByID(s.ctx, c.Tenant, c.Withdraw)
		if err != nil {
			return out, err
		}
		if rec.Kind == consent.KindAppApproval || rec.Kind == consent.KindOther {
			return out, errors.New("--withdraw takes a privacy Consent: what ends with the approval of an app is its grant, all of it")
		}
		out.words = append(out.words, "Consent/"+c.Withdraw+" withdrawn")
	}
	if c.Client == "" {
		return out, nil
	}
	return out, c.registered(s, a, &out)
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// labelling gives the value sets of the settings with the file's.
func (c *replayCommand) labelling(s *streams, a *App) (*access.Labelling, error) {
	raw, err := s.ReadFile(s.ctx, c.Labels)
	if err != nil {
		return nil, fmt.Errorf("the value sets %s cannot be read: %w", c.Labels, err)
	}
	files, err := a.cfg.Labels.read()
	if err != nil {
		return nil, err
	}
	return label.Load(append(files, label.File{Name: c.Labels, Text: raw})...)
}

// filed reads a Consent as it would be filed. It is taken to have been given before
// the requests, or none of them could tell a difference; its own periods count.
func (c *replayCommand) filed(s *streams) (*consent.Record, error) {
	raw, err := s.ReadFile(s.ctx, c.Consent)
	if err != nil {
		return nil, fmt.Errorf("the Consent %s cannot be read: %w", c.Consent, err)
	}
	read, err := consent.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("the Consent %s cannot be read: %w", c.Consent, err)
	}
	var members map[string]json.RawMessage
	switch err := json.Unmarshal(raw, &members); {
	case err != nil:
		return nil, err
	case read.Patient == "":
		return nil, errors.New("the Consent names no patient of this server")
	case read.Kind == consent.KindAppApproval || read.Kind == consent.KindOther:
		return nil, errors.New("--consent takes a privacy Consent: the approval of an app, and a Consent that is neither a grant nor a prohibition, decide nothing about people who act for a patient")
	}
	members["dateTime"] = json.RawMessage(`"1970-01-01T00:00:00Z"`)
	if raw, err = json.Marshal(members); err != nil {
		return nil, err
	}
	return &consent.Record{Tenant: c.Tenant, ID: orElse(read.ID, "as-filed"), Version: 1, Patient: read.Patient, Status: read.Status, Kind: read.Kind, JSON: raw}, nil
}

// registered reads scopes as a client would be registered for them.
func (c *replayCommand) registered(s *streams, a *App, out *supposition) error {
	client, err := a.store.ClientByID(s.ctx, c.Tenant, c.Client)
	if err != nil {
		return err
	}
	asked, err := scope.Parse(c.Scopes, oauth.StoredScopes())
	if err != nil {
		return err
	}
	if len(asked.Others) > 0 {
		return fmt.Errorf("these are no scopes: %s", strings.Join(asked.Others, " "))
	}
	now, err := scope.Parse(client.Scopes, oauth.StoredScopes())
	if err != nil {
		return err
	}
	if !client.ForItself() && !asked.Clinical.Subset(now.Clinical) {
		return errors.New("the scopes are wider than those of the registration: nobody was asked about what is new, so that it cannot be replayed; name what would be taken away by leaving it out")
	}
	out.client, out.scopes, out.text = c.Client, asked.Clinical, c.Scopes
	out.words = append(out.words, "client "+c.Client+" registered for "+orElse(asked.Clinical.String(), "no record"))
	return nil
}
