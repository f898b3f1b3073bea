package gateway

import (
	"net/http"
	"strings"
	"time"

	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/scope"
)

// read answers a read. Absent and hidden look alike.
func (a *act) read() (answer, error) {
	return a.readAt("/" + a.req.Target().String())
}

// readVersion judges the current version and the one asked for: what became
// hidden stays hidden in its past, and what was hidden does not come out by a
// later relabelling (GW-01, SMART TRP-11).
func (a *act) readVersion() (answer, error) {
	if _, err := a.current(a.req.Target(), scope.Read); err != nil {
		return answer{}, err
	}
	return a.readAt("/" + a.req.Target().String() + "/_history/" + a.req.Version)
}

// readAt answers with the resource asked for, as the upstream has it at a path.
func (a *act) readAt(path string) (answer, error) {
	raw, err := a.x.fetch(path)
	if err != nil {
		return answer{}, err
	}
	if _, err := a.stands(); err != nil {
		return answer{}, err
	}
	s, err := a.only(raw, a.req.Target(), scope.Read)
	if err != nil {
		return answer{}, err
	}
	return a.show(s), nil
}

// show answers with one resource, or says that the client's copy is good. The
// decision comes before the comparison (M-07).
func (a *act) show(s sight) answer {
	a.deliver(s)
	a.version = s.res.VersionID
	ans := of(http.StatusOK, s)
	if unchanged(a.req, ans) {
		ans.status, ans.body = http.StatusNotModified, nil
	}
	return ans
}

// unchanged compares the conditions of a read with what would be answered;
// the entity tag wins (RFC 9110 §13.2.2).
func unchanged(req rest.Request, ans answer) bool {
	if m := req.IfNoneMatch; m != "" {
		return m == "*" || strings.TrimPrefix(m, "W/") == strings.TrimPrefix(ans.etag(), "W/")
	}
	if req.IfModifiedSince == "" || ans.updated.IsZero() {
		return false
	}
	since, err := http.ParseTime(req.IfModifiedSince)
	return err == nil && !ans.updated.Truncate(time.Second).After(since)
}
