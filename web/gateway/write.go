package gateway

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
)

// plan is a write that was decided: what goes upstream, or the answer when
// nothing has to.
type plan struct {
	send    rest.Request
	created bool
	done    *answer
}

// write answers create, update, patch, delete and their conditional forms:
// the stored and the resulting state are judged, then exactly the judged
// result is sent, on condition that the judged state still stands (SMART
// TRP-08…TRP-10, GW-12, GW-13).
func (a *act) write() (answer, error) {
	p, err := a.plan()
	if err != nil {
		return answer{}, err
	}
	if p.done != nil {
		return *p.done, nil
	}
	method, address, header, body := p.send.Upstream()
	header.Set("Prefer", "return=representation")
	res, err := a.x.g.d.Upstream.Do(a.x.ctx, method, address, header, body)
	if err != nil {
		return answer{}, err
	}
	switch res.Status {
	case http.StatusOK, http.StatusCreated, http.StatusNoContent, http.StatusAccepted:
		return a.finish(p, outcome{body: res.Body, location: res.Header.Get("Location")})
	}
	return answer{}, upstreamFault(res.Status)
}

func (a *act) plan() (plan, error) {
	switch a.req.Interaction {
	case rest.Create:
		return a.planCreate()
	case rest.Update:
		return a.planUpdate()
	case rest.Patch:
		return a.planPatch()
	case rest.Delete:
		return a.planDelete()
	case rest.ConditionalUpdate, rest.ConditionalPatch, rest.ConditionalDelete:
		return a.planConditional()
	}
	return plan{}, errs.New(errs.NotSupported, "interaction-not-offered", "This interaction is not offered.")
}

// normal is what a proxy's own writing is labelled with when it says nothing:
// it tells the proxy nothing that the proxy did not write, and what is not
// labelled is hidden from proxies (GW-23).
const normal = `{"meta":{"security":[{"system":"` + fhir.SystemConfidentiality + `","code":"N"}]}}`

func (a *act) planCreate() (plan, error) {
	body := a.req.Body
	var err error
	if a.x.in.Grant.Capacity.IsProxy() && len(access.LabelsOf(a.req.Resource)) == 0 {
		if body, err = view.KeepLabels([]byte(normal), body); err != nil {
			return plan{}, err
		}
	}
	if body, err = a.acceptable(body, scope.Create); err != nil {
		return plan{}, err
	}
	if len(a.req.IfNoneExist) > 0 {
		found, err := a.resolve(a.req.IfNoneExist)
		if err != nil {
			return plan{}, err
		}
		if found != nil {
			ans := a.written(*found, false)
			ans.location = a.x.g.versionURL(*found)
			return plan{done: &ans}, nil
		}
	}
	return plan{created: true, send: rest.Request{Interaction: rest.Create, Type: a.req.Type, Body: body}}, nil
}

// errHidden says what errAbsent says, of a resource that is there.
var errHidden = errs.New(errAbsent.Kind, errAbsent.Code, errAbsent.Msg)

// planUpdate replaces a resource. Only a client that acts for itself creates
// by updating: for others the answer would tell a hidden id from a free one. What
// is there and hidden from it is not replaced (SMART TRP-08).
func (a *act) planUpdate() (plan, error) {
	prior, err := a.stored(scope.Update)
	if errs.Is(err, errs.NotFound) && !errors.Is(err, errHidden) && a.x.system() && a.req.IfMatch == "" {
		body, err := a.acceptable(a.req.Body, scope.Update)
		return plan{created: true, send: rest.Request{Interaction: rest.Update, Type: a.req.Type, ID: a.req.ID, Body: body}}, err
	}
	if err != nil {
		return plan{}, err
	}
	if a.req.IfNoneMatch == "*" {
		return plan{}, errChanged
	}
	return a.replace(prior, a.req.Body)
}

// planPatch applies the patch to what the app was shown, so that what is
// judged is what is stored, and a test cannot ask about labels.
func (a *act) planPatch() (plan, error) {
	prior, err := a.stored(scope.Update)
	if err != nil {
		return plan{}, err
	}
	told, err := a.withhold(prior.raw)
	if err != nil {
		return plan{}, err
	}
	shown, err := a.strip(told, nil, access.Decision{Obligations: []access.Obligation{access.StripLabels}})
	if err != nil {
		return plan{}, err
	}
	body, err := applyPatch(shown, a.req.Patch)
	if err != nil {
		return plan{}, err
	}
	body = localise(body, a.x.g.d.Base, "")
	res, err := view.Scan(body)
	if err != nil || res.Type != a.req.Type || res.ID != a.req.ID {
		return plan{}, errPatch
	}
	return a.replace(prior, body)
}

// replace plans the update of a judged state to another one.
func (a *act) replace(prior sight, body []byte) (plan, error) {
	var err error
	if !a.x.system() {
		if body, err = view.KeepLabels(prior.raw, body); err != nil {
			return plan{}, err
		}
	}
	if body, err = a.acceptable(body, scope.Update); err != nil {
		return plan{}, err
	}
	p := plan{send: rest.Request{Interaction: rest.Update, Type: a.req.Type, ID: a.req.ID, Body: body, IfMatch: tag(prior)}}
	return p, a.shownWhole(prior)
}

// shownWhole refuses to change what an app that reads it gets in part, beside labels
// of its own: it would write back the holes (SMART TRP-21).
func (a *act) shownWhole(prior sight) error {
	incomplete := errs.New(errs.Unprocessable, "resource-incomplete", "What the app was shown of the resource is not all of it; it cannot be written back.")
	if !a.x.system() && slices.ContainsFunc(prior.res.Contained, func(c fhir.Resource) bool { return len(access.LabelsOf(&c)) > 0 }) {
		return incomplete
	}
	left, err := a.withhold(prior.raw)
	if err == nil && len(left) != len(prior.raw) {
		err = incomplete
	}
	return err
}

func (a *act) planDelete() (plan, error) {
	prior, err := a.stored(scope.Delete)
	if err != nil {
		return plan{}, err
	}
	return plan{send: rest.Request{Interaction: rest.Delete, Type: a.req.Type, ID: a.req.ID, IfMatch: tag(prior)}}, nil
}

// tag gives the condition that the judged version is still the newest.
func tag(s sight) string {
	if !fhir.ValidID(s.res.VersionID) {
		return ""
	}
	return `W/"` + s.res.VersionID + `"`
}

// stored reads the current state, whole, and judges it under the operation.
// Who may not see it is told that it is absent; who may see but not change it
// is told so.
func (a *act) stored(op scope.Ops) (sight, error) {
	raw, err := a.x.fetch("/" + a.req.Target().String())
	if err != nil {
		return sight{}, err
	}
	raw = a.x.g.local(raw, "")
	res, err := view.Scan(raw)
	if err != nil || (fhir.Reference{Type: res.Type, ID: res.ID}) != a.req.Target() {
		return sight{}, errs.New(errs.Upstream, "upstream-other-resource", "The FHIR server behind Mandate gave another resource than asked for.")
	}
	ok, err := a.adopt(&res)
	if err != nil {
		return sight{}, err
	}
	d := access.Decision{Hidden: true}
	if ok {
		d = a.judge(&res, op)
	}
	if !d.Allow {
		if !ok || !a.judge(&res, scope.Read).Allow {
			a.note(d)
			return sight{}, errHidden
		}
		return sight{}, a.forbid(d)
	}
	a.drew.add(scopeBy(d))
	a.subjects, a.attached = res.Subjects, res.Targets
	s := sight{raw: raw, res: res}
	if m := a.req.IfMatch; m != "" && strings.TrimPrefix(m, "W/") != strings.TrimPrefix(tag(s), "W/") {
		return sight{}, errChanged
	}
	return s, nil
}

// acceptable validates and judges a state that is to be, and gives it with
// what is forced upon it.
func (a *act) acceptable(body []byte, op scope.Ops) ([]byte, error) {
	if err := a.x.g.d.Validator.ValidateType(body, a.req.Type); err != nil {
		return nil, err
	}
	if err := literal(body); err != nil {
		return nil, err
	}
	if err := a.checkInput(body); err != nil {
		return nil, err
	}
	res, err := view.Scan(body)
	if err != nil {
		return nil, err
	}
	ok, err := a.adopt(&res)
	if err != nil {
		return nil, err
	}
	d := access.Decision{}
	if ok {
		d = a.judge(&res, op)
	}
	if !d.Allow {
		return nil, a.forbid(d)
	}
	if err := a.attachable(body); err != nil {
		return nil, err
	}
	a.subjects = res.Subjects
	a.note(d)
	if slices.Contains(d.Obligations, access.ForceAuthor) {
		return a.forceAuthor(body)
	}
	return body, nil
}

// literal refuses conditional references: they search (SMART M-14).
func literal(body []byte) error {
	list, err := view.References(body)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(list, func(r string) bool { return strings.Contains(r, "?") }) {
		return errs.New(errs.Unprocessable, "reference-conditional", "Conditional references are not taken; name the resource.")
	}
	return nil
}

// forbid refuses a state: the request was in scope, this resource is not.
func (a *act) forbid(d access.Decision) error {
	a.note(d)
	return errs.New(errs.Forbidden, "resource-not-permitted", "The access token does not permit this on this resource.")
}

// note keeps what decided for the audit log.
func (a *act) note(d access.Decision) {
	if !d.Allow && len(d.Reasons) > 0 {
		a.reason = d.Reasons[0]
	}
	if d.Allow {
		a.drew.add(scopeBy(d))
	}
	for _, c := range d.Consents {
		if !slices.Contains(a.consents, c) {
			a.consents = append(a.consents, c)
		}
	}
}

// authorElement is where a proxy is named as the author of what it may write,
// and whether that element is a list.
var authorElement = map[string]struct {
	name string
	list bool
}{
	"Communication":         {"sender", false},
	"QuestionnaireResponse": {"author", false},
	"DocumentReference":     {"author", true},
}

// forceAuthor sets author or sender to the acting RelatedPerson; anybody else
// named beside is refused (GW-22).
func (a *act) forceAuthor(body []byte) ([]byte, error) {
	acting := a.x.in.Grant.Capacity.Acting
	if e, ok := authorElement[a.req.Type]; ok {
		list, err := view.Members(body)
		if err != nil {
			return nil, err
		}
		value := view.Join([]view.Member{{Name: "reference", Value: view.Quote(acting.String())}})
		if e.list {
			value = slices.Concat([]byte{'['}, value, []byte{']'})
		}
		body = view.Join(view.Set(list, e.name, value))
	}
	res, err := view.Scan(body)
	if err != nil {
		return nil, err
	}
	for _, author := range res.Authors {
		if author != acting {
			return nil, errs.New(errs.Unprocessable, "author-not-yours", "The resource names somebody else as its author.")
		}
	}
	return body, nil
}
