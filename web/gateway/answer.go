package gateway

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/upstream"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
)

const mediaFHIR = "application/fhir+json"

// The one text for what is absent and what is hidden (GW-14).
var errAbsent = errs.New(errs.NotFound, "resource-not-found", "There is no such resource.")

// answer is the result of one interaction.
type answer struct {
	status int
	// media is "" for FHIR JSON.
	media string
	body  []byte
	// version and updated are those of the resource that the answer is about.
	version string
	updated time.Time
	// asOf is up to when a page of a log is complete; zero for all else.
	asOf time.Time
	// location is set where something was created, contentLocation where a
	// job was started; retryAfter (seconds) and progress speak about a job.
	location, contentLocation, retryAfter, progress string
	// begun says that headers and a part of the body were sent before.
	begun bool
	// notices must accompany the answer.
	notices redisclosure
	// content marks a body that is not FHIR but what somebody uploaded.
	content bool
	// lent says that body is memory of sheets, which goes back once it has left.
	lent bool
}

// etag gives the version as a weak entity tag (R4 §3.1.0.1).
func (a answer) etag() string {
	if a.version == "" {
		return ""
	}
	return `W/"` + a.version + `"`
}

func (a answer) write(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	set := func(name, value string) {
		if value != "" {
			h.Set(name, value)
		}
	}
	if a.content {
		h.Set("Content-Disposition", "attachment")
		h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
	}
	set("ETag", a.etag())
	set("Location", a.location)
	set("Content-Location", a.contentLocation)
	set("Retry-After", a.retryAfter)
	set("X-Progress", a.progress)
	if !a.updated.IsZero() {
		h.Set("Last-Modified", a.updated.UTC().Format(http.TimeFormat))
	}
	if !a.asOf.IsZero() {
		h.Set("Mandate-As-Of", a.asOf.UTC().Format(time.RFC3339Nano))
	}
	if len(a.body) > 0 {
		media := a.media
		if media == "" {
			media = mediaFHIR + "; charset=utf-8"
		}
		h.Set("Content-Type", media)
	}
	if !a.begun {
		a.notices.announce(h)
		w.WriteHeader(a.status)
	}
	// The client may be gone; there is nobody to tell.
	_, err := w.Write(a.body)
	if err == nil && a.lent && cap(a.body) <= 2*batchBytes {
		body := a.body
		sheets.Put(&body)
	}
}

// of gives the answer that shows one resource.
func of(status int, s sight) answer {
	return answer{status: status, body: s.raw, version: s.res.VersionID, updated: s.res.LastUpdated}
}

// upstreamFault turns a refusal of the upstream into one of ours: its texts
// could name what is hidden (SMART TRP-27).
func upstreamFault(status int) error {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return errs.New(errs.Unprocessable, "upstream-not-accepted", "The FHIR server behind Mandate did not accept the request.")
	case http.StatusNotFound, http.StatusGone:
		return errAbsent
	case http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusUnsupportedMediaType:
		return errs.New(errs.NotSupported, "upstream-not-offered", "The FHIR server behind Mandate does not offer this.")
	case http.StatusConflict:
		return errs.New(errs.Conflict, "write-conflict", "The change conflicts with the state of the record.")
	case http.StatusPreconditionFailed:
		return errChanged
	case http.StatusRequestEntityTooLarge:
		return errs.New(errs.TooLarge, "upstream-too-large", "The FHIR server behind Mandate takes no body of that size.")
	case http.StatusTooManyRequests:
		return errs.New(errs.Unavailable, "upstream-busy", "The FHIR server behind Mandate is busy.")
	default:
		return errs.New(errs.Upstream, "upstream-refused", "The FHIR server behind Mandate answered with an error.")
	}
}

var errChanged = errs.New(errs.PreconditionFailed, "version-changed", "The resource was changed in the meantime.")

// local is localise for what the upstream calls itself.
func (g *Gateway) local(raw []byte, other string) []byte {
	for _, b := range g.bases {
		if bytes.Contains(raw, b) {
			raw = localise(raw, string(b[:len(b)-1]), other)
		}
	}
	return raw
}

// basesOf gives what the upstream calls itself, each with the slash behind it.
func basesOf(u *upstream.Client) (out [][]byte) {
	if u == nil {
		return nil
	}
	for _, base := range append([]string{u.Base()}, u.Aliases()...) {
		if base != "" {
			out = append(out, []byte(base+"/"))
		}
	}
	return out
}

// localise makes absolute literal references below one base relative, where
// what follows is a reference to a resource: only then does the base say that
// it is ours (SMART TRP-23). Any other address below the base gets the other
// base, unless that is empty.
func localise(raw []byte, base, other string) []byte {
	if base == "" || !bytes.Contains(raw, []byte(base+"/")) {
		return raw
	}
	text := string(raw)
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, `"`+base+"/")
		out.WriteString(before)
		if !found {
			return []byte(out.String())
		}
		value, _, _ := strings.Cut(after, `"`)
		_, isReference := fhir.ParseReference(value)
		switch {
		case isReference:
			out.WriteByte('"')
		case other != "":
			out.WriteString(`"` + other + "/")
		default:
			out.WriteString(`"` + base + "/")
		}
		text = after
	}
}

// entry gives the bundle entry that shows a resource.
func (g *Gateway) entry(s sight, mode string) view.Entry {
	e := view.Entry{FullURL: g.d.Base + "/" + s.ref().String(), Resource: s.raw}
	if mode != "" {
		e.Search = []byte(`{"mode":"` + mode + `"}`)
	}
	return e
}
