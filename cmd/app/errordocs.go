package app

import (
	"net/http"
	"strings"

	"github.com/mandate-health/mandate/oauth/flight"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/problem"
)

// errorDocs is where cause codes are explained.
const errorDocs = "/docs/errors/"

// errorDoc explains a cause code, in people's words and in a developer's: the
// page that error_uri leads to.
func (t *tenant) errorDoc(w http.ResponseWriter, r *http.Request) {
	cause := strings.TrimPrefix(r.URL.Path, t.base.Path(errorDocs))
	kind := problem.KindOf(cause)
	if kind == "" {
		t.notFound(w, r)
		return
	}
	name, status := problem.OAuthOf(kind)
	t.kit.Render(w, r, http.StatusOK, pages.ErrorPage{
		Frame: pages.Frame{Lang: t.kit.Lang(r), Now: t.clock.Now()},
		Cause: cause, Kind: string(kind),
		Developer: &pages.ErrorFacts{Code: cause, Error: name, Status: status, Hint: flight.Hint(cause)},
	})
}
