package gateway

import (
	"net/http"

	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/internal/errs"
)

func (a *act) write() (answer, error) {
	return answer{}, errs.New(errs.NotSupported, "interaction-not-offered", "Not offered.")
}

func (x *exchange) bundle(req rest.Request) (answer, error) {
	return answer{}, errs.New(errs.NotSupported, "interaction-not-offered", "Not offered.")
}

// written answers a write with the version that it made.
func (a *act) written(s sight, created bool) answer {
	a.version = s.res.VersionID
	ans := of(http.StatusOK, s)
	if created {
		ans.status = http.StatusCreated
		ans.location = a.x.g.d.Base + "/" + s.ref().String() + "/_history/" + s.res.VersionID
	}
	if a.req.Prefer.Return == "minimal" || !a.judge(&s.res, scope.Read).Allow {
		ans.body = nil
		return ans
	}
	a.deliver(s)
	return ans
}
