package app

import (
	"net/http"
	"strings"

	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/problem"
)

// errorDocs is where cause codes are explained.
const errorDocs = "/docs/errors/"

// errorDoc explains a cause code: the page that error_uri leads to.
func (t *tenant) errorDoc(w http.ResponseWriter, r *http.Request) {
	cause := strings.TrimPrefix(r.URL.Path, t.base.Path(errorDocs))
	t.kit.Render(w, r, http.StatusOK, pages.ErrorPage{
		Frame: pages.Frame{Lang: t.kit.Lang(r), Now: t.clock.Now()},
		Cause: cause, Kind: string(problem.KindOf(cause)),
	})
}
