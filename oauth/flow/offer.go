package flow

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/access/preview"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/compartment"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/fhir/upstream"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/authority"
)

// Offer is what the consent page shows: what could be granted, counted on the
// live record by the production decision.
type Offer struct {
	Client  oauth.Client
	Patient upstream.Demographics
	Kinds   []Kind
	Actions []Action
	// Topics are the sensitive topics found, with their counts; only people
	// acting on their own record are asked.
	Topics []Topic
	// Identity is true when the app learns who the person is.
	Identity bool
	// KeepAsked says that the app asked for access while the person is away,
	// KeepOffered that it may be given.
	KeepAsked   bool
	KeepOffered bool
	// Actors are the names of programs to which the app may hand its access on.
	Actors []string
	// MoreHidden is true for proxies: there may be kinds that are not shared.
	MoreHidden bool
	Answer     access.ScopeAnswer
	// Handle binds the answer to exactly what was shown (AZ-21).
	Handle string

	question access.ScopeQuestion
}

// Topic is one sensitive topic with the number of entries it would add.
type Topic struct {
	Topic access.Topic
	Count int
}

// Offer builds the consent page of a request whose capacity is settled. A
// request of which nothing can be granted is a *Refusal (SC-10). Errors:
// errs.Upstream, errs.Unavailable.
func (s *Service) Offer(ctx context.Context, p oauth.Pending, who Visitor) (Offer, error) {
	o, st, err := s.offerable(ctx, p)
	if err != nil {
		return o, err
	}
	if o.Answer.Denied {
		return o, s.refusePending(ctx, p, who, errDenied, o.Answer.Explained...)
	}
	if err := s.count(ctx, p, st, &o); err != nil {
		return o, err
	}
	o.Handle = s.shown(p, o.Handle, o.Topics)
	return o, nil
}

// Posted gives the offer to which a form answers, without its counts: the record
// is not read again. Topics are those that the page showed. Errors:
// errs.Unavailable.
func (s *Service) Posted(ctx context.Context, p oauth.Pending, handle string) (Offer, error) {
	o, _, err := s.offerable(ctx, p)
	if err != nil {
		return o, err
	}
	o.Topics = topicsOf(handle)
	if !ids.Equal(handle, s.shown(p, o.Handle, o.Topics)) {
		o.Topics = nil
	}
	return o, nil
}

// shown adds to a handle the sensitive topics that the page lists, so that none
// can be chosen that was not seen.
func (s *Service) shown(p oauth.Pending, handle string, topics []Topic) string {
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = string(t.Topic)
	}
	list := strings.Join(names, ",")
	return list + topicsEnd + s.Hasher.At(p.Created).Hash("offer-shown", list+topicsEnd+handle)
}

// topicsEnd stands behind the topics of a handle.
const topicsEnd = ":"

// topicsOf reads the topics of a handle, which may be forged.
func topicsOf(handle string) (out []Topic) {
	list, _, found := strings.Cut(handle, topicsEnd)
	if !found || list == "" {
		return nil
	}
	for _, name := range strings.Split(list, ",") {
		out = append(out, Topic{Topic: access.Topic(name)})
	}
	return out
}

// offerable computes everything but the counts.
func (s *Service) offerable(ctx context.Context, p oauth.Pending) (o Offer, st authority.Standing, err error) {
	if o.Client, err = s.Read.ClientByID(ctx, p.Tenant, p.Request.ClientID); err != nil {
		return o, st, err
	}
	now := s.Clock.Now()
	if st, err = s.Authority.Of(ctx, p.Tenant, p.Capacity, now); err != nil {
		return o, st, err
	}
	registered, err := scope.Parse(o.Client.Scopes, scope.Limits{})
	if err != nil {
		return o, st, err
	}
	req := asked(p)
	o.question = access.ScopeQuestion{
		Requested: req, Registered: registered, Capacity: p.Capacity,
		Policy: st.Policy, ProxyInForce: st.ProxyInForce, ProxyEnds: st.ProxyEnds, SafetyHold: st.SafetyHold,
		EHRLaunch: p.Request.Launch != "", HasPatient: p.Context.Patient != "",
		HasFHIRUser: !p.Capacity.Acting.IsZero(), Now: now,
	}
	o.Answer = access.GrantedScopes(o.question)
	o.Kinds, o.Actions = kindsOf(o.Answer.Clinical)
	s.require(&o)
	if o.Actors, err = s.actors(ctx, o.Client); err != nil {
		return o, st, err
	}
	o.Identity = req.OpenID && registered.OpenID
	o.KeepAsked, o.KeepOffered = req.OfflineAccess, o.Answer.OfflineOffered
	o.MoreHidden = p.Capacity.IsProxy()
	o.Handle = s.handle(p, o)
	return o, st, nil
}

// actors names who may act with the tokens of an app. One that is not registered
// any more, or may not, is left out.
func (s *Service) actors(ctx context.Context, app oauth.Client) (names []string, err error) {
	for _, id := range app.MayAct {
		c, err := s.Read.ClientByID(ctx, app.Tenant, id)
		if err != nil && !errs.Is(err, errs.NotFound) {
			return nil, err
		}
		if err == nil && !c.Disabled && c.TokenExchange {
			names = append(names, cmp.Or(c.Name, c.ID))
		}
	}
	return names, nil
}

// require marks the kinds and actions that the app cannot work without, with
// the reason its maker gave at registration.
func (s *Service) require(o *Offer) {
	for text, reason := range o.Client.RequiredScopes {
		req, ok := scope.ParseScope(text)
		if !ok {
			continue
		}
		for i := range o.Kinds {
			if o.Kinds[i].Type == req.Type && req.Ops&reads != 0 {
				o.Kinds[i].Required = reason
			}
		}
		for i := range o.Actions {
			if o.Actions[i].Type == req.Type && req.Ops&writes != 0 {
				o.Actions[i].Required = reason
			}
		}
	}
}

// handle is a keyed digest of the request, the person, the capacity and what
// was offered; counts are left out because records grow while people read.
func (s *Service) handle(p oauth.Pending, o Offer) string {
	kinds := slices.Clone(o.Kinds)
	for i := range kinds {
		kinds[i].Count = 0
		kinds[i].Categories = slices.Clone(kinds[i].Categories)
		for j := range kinds[i].Categories {
			kinds[i].Categories[j].Count = 0
		}
	}
	b, err := json.Marshal([]any{p.ID, p.PersonID, p.SessionHash, p.Capacity, p.Context, p.Request, kinds, o.Actions, o.KeepOffered, o.Actors})
	if err != nil {
		// None of them can fail; and a handle that is never given fits no form.
		return s.IDs.Secret()
	}
	return s.Hasher.At(p.Created).Hash("offer", string(b))
}

// count runs the production decision over the live record.
func (s *Service) count(ctx context.Context, p oauth.Pending, st authority.Standing, o *Offer) error {
	patient := oauth.RecordOf(p.Context, p.Capacity)
	if patient == "" {
		return nil
	}
	var err error
	if o.Patient, err = s.Record.Patient(ctx, patient); err != nil {
		return err
	}
	in := access.Input{
		Grant: access.GrantView{
			ClientID: p.Request.ClientID, PersonID: p.PersonID, Capacity: p.Capacity,
			Patient: p.Context.Patient, Scopes: o.Answer.Clinical,
		},
		Policy: st.Policy, ProxyInForce: st.ProxyInForce, ProxyEnds: st.ProxyEnds, SafetyHold: st.SafetyHold, Now: s.Clock.Now(),
		Labelling: s.Authority.Labelling,
	}
	in.Grant.Capacity.Patient = patient
	counts, err := preview.Count(ctx, s.Record, in, typesOf(o.Answer.Clinical, reads))
	if err != nil {
		return err
	}
	for i := range o.Kinds {
		addCounts(&o.Kinds[i], counts)
	}
	if p.Capacity.Kind == fhir.CapacitySelf {
		for _, t := range access.Topics() {
			if n := counts.Topics[t]; n > 0 {
				o.Topics = append(o.Topics, Topic{Topic: t, Count: n})
			}
		}
	}
	return nil
}

// addCounts fills in the numbers of one kind. Types that cannot be searched by
// patient, such as Practitioner, have none.
func addCounts(k *Kind, counts preview.Counts) {
	if _, ok := compartment.SearchByPatient(k.Type); !ok {
		return
	}
	k.Count = counts.Ordinary[k.Type]
	for i := range k.Categories {
		k.Categories[i].Count = counts.Categories[k.Type][k.Categories[i].Coding]
	}
}
