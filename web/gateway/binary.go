package gateway

import (
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
)

// owner is the document that a Binary belongs to; found is false when none
// may be seen.
type owner struct {
	found bool
	res   fhir.Resource
}

// owning are the types whose attachments may be a Binary of their own.
var owning = []string{"DocumentReference", "DiagnosticReport"}

// adoptBinary gives a Binary the subjects and labels of a visible document
// that it is the content of. Without one nobody but a system client sees it
// (GW-09, SMART TRP-14), and that one not what the law keeps from it (EV-11).
func (a *act) adoptBinary(res *fhir.Resource) (reachable bool, err error) {
	if res.ID == "" {
		return a.x.system(), nil
	}
	ref := fhir.Reference{Type: "Binary", ID: res.ID}
	find := a.findOwner
	if a.x.system() && a.reads("Binary") {
		find = a.findLabels
	}
	own, known := a.x.memory.owners[ref.ID]
	if !known {
		if own, err = find(ref); err != nil {
			return false, err
		}
		a.x.own(ref.ID, own)
	}
	if !own.found {
		return false, nil
	}
	res.Subjects, res.ForeignSubject = own.res.Subjects, own.res.ForeignSubject
	res.Labels = slices.Concat(res.Labels, own.res.Labels)
	return true, nil
}

// attachable refuses a document that names a Binary which the token could not
// read before, whether or not it exists: a Binary is read by way of its
// document, so whoever may write documents could read every Binary there is
// (SMART TRP-14). What the stored document named already stays.
func (a *act) attachable(body []byte) error {
	res, err := view.Scan(a.x.g.local(body, ""))
	if err != nil || a.x.system() || !slices.Contains(owning, res.Type) {
		return err
	}
	for _, ref := range res.Targets {
		if ref.Type != "Binary" || slices.Contains(a.attached, ref) {
			continue
		}
		own, known := a.x.memory.owners[ref.ID]
		if !known {
			if own, err = a.findOwner(ref); err != nil {
				return err
			}
		}
		if !own.found {
			return a.forbid(access.Decision{Reasons: []access.Reason{{Rule: "compartment", Code: "binary-not-visible", Subject: ref.String()}}})
		}
	}
	return nil
}

// findOwner looks for a document that names the Binary and may be read: in the
// record that the grant is bound to, or, for those who may reach several, by
// the address of the attachment.
func (a *act) findOwner(ref fhir.Reference) (owner, error) {
	if patient := bound(a.x.in); patient != "" && !a.x.memory.documents {
		if err := a.readDocuments(patient); err != nil {
			return owner{}, err
		}
	}
	own, known := a.x.memory.owners[ref.ID]
	if known || a.x.in.Grant.Capacity.Patient != "" || !a.reads("DocumentReference") {
		return own, nil
	}
	err := a.documents("DocumentReference", url.Values{"location": {ref.String()}}, func(res fhir.Resource) {
		if slices.Contains(res.Targets, ref) {
			own = owner{found: true, res: res}
		}
	})
	return own, err
}

// findLabels gathers labels and subjects of every document that names the Binary, for a
// system client, which needs no scope for them when it has one for Binary.
func (a *act) findLabels(ref fhir.Reference) (owner, error) {
	own := owner{found: true}
	err := a.x.g.d.Upstream.Search(a.x.ctx, "DocumentReference", url.Values{"location": {ref.String()}}, func(raw []byte) error {
		res, err := view.Scan(a.x.g.local(raw, ""))
		if err != nil {
			// What cannot be read strictly may say anything.
			own.found = false
			return nil
		}
		if slices.Contains(res.Targets, ref) {
			own.res.Labels = append(own.res.Labels, a.x.in.Labels(&res)...)
			own.res.Subjects = append(own.res.Subjects, everybody(&res)...)
			own.res.ForeignSubject = own.res.ForeignSubject || res.ForeignSubject
		}
		return nil
	})
	return own, err
}

// readDocuments notes the owners of all Binaries of one record.
func (a *act) readDocuments(patient string) error {
	for _, typ := range owning {
		if !a.reads(typ) {
			continue
		}
		err := a.documents(typ, url.Values{"patient": {"Patient/" + patient}, "_count": {"500"}}, func(res fhir.Resource) {
			for _, t := range res.Targets {
				if t.Type == "Binary" {
					a.x.own(t.ID, owner{found: true, res: res})
				}
			}
		})
		if err != nil {
			return err
		}
	}
	// Only now: after an outage the next entry of a batch asks again.
	a.x.memory.documents = true
	return nil
}

func (x *exchange) own(binary string, o owner) {
	if x.memory.owners == nil {
		x.memory.owners = map[string]owner{}
	}
	x.memory.owners[binary] = o
}

// documents gives the documents of a search that may be read.
func (a *act) documents(typ string, params url.Values, each func(fhir.Resource)) error {
	return a.x.g.d.Upstream.Search(a.x.ctx, typ, params, func(raw []byte) error {
		res, err := view.Scan(a.x.g.local(raw, ""))
		if err != nil {
			// What cannot be read strictly owns nothing.
			return nil
		}
		if _, ok := a.judgeAny(&res, []scope.Ops{scope.Read}); ok {
			res.Labels, res.Subjects = a.x.in.Labels(&res), everybody(&res)
			each(res)
		}
		return nil
	})
}

// reads reports whether some scope lets a type be read.
func (a *act) reads(typ string) bool {
	for _, level := range []scope.Level{scope.Patient, scope.User, scope.System} {
		if len(a.x.in.Grant.Scopes.For(level, typ, scope.Read)) > 0 {
			return true
		}
	}
	return false
}

// native reports whether a request wants the content of a Binary in its own
// format (R4 §3.36.2), and not FHIR.
func native(r *http.Request, path string) bool {
	accept := strings.Join(r.Header.Values("Accept"), ",")
	if r.Method != http.MethodGet && r.Method != http.MethodHead || !strings.HasPrefix(path, "/Binary/") || accept == "" || r.URL.RawQuery != "" {
		return false
	}
	return !strings.Contains(accept, "json") && !strings.Contains(accept, "xml") && !strings.Contains(accept, "*/*") && !strings.Contains(accept, "application/*")
}

// asContent turns the answer that shows a Binary into its content, which a
// browser must neither guess about nor run.
func asContent(r *http.Request, ans answer) (answer, error) {
	if ans.status != http.StatusOK {
		return ans, nil
	}
	var b struct {
		ContentType string `json:"contentType"`
		Data        []byte `json:"data"`
	}
	if err := json.Unmarshal(ans.body, &b); err != nil {
		return answer{}, errs.Wrap(err, errs.Upstream, "upstream-malformed", "The FHIR server's Binary cannot be read.")
	}
	media, _, err := mime.ParseMediaType(b.ContentType)
	if err != nil || !accepts(r.Header.Values("Accept"), media) {
		return answer{}, errs.New(errs.NotAcceptable, "not-acceptable", "The content has another format.")
	}
	ans.media, ans.body, ans.content = media, b.Data, true
	return ans, nil
}

func accepts(headers []string, media string) bool {
	kind, _, _ := strings.Cut(media, "/")
	for item := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		want, params, err := mime.ParseMediaType(strings.TrimSpace(item))
		if err == nil && params["q"] != "0" && (want == media || want == kind+"/*") {
			return true
		}
	}
	return false
}
