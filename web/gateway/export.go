package gateway

import (
	"net/http"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/internal/errs"
)

const exportPath = "/bulk/"

func (x *exchange) export(w http.ResponseWriter, r *http.Request, handle string) {
	x.g.d.Problems.FHIR(w, r, errAbsent)
}

func (a *act) operation(d access.Decision) (answer, error) {
	if a.req.Operation == "everything" {
		return a.everything(place{})
	}
	return answer{}, errs.New(errs.NotSupported, "operation-not-offered", "This operation is not offered.")
}
