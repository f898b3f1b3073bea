package adminapi

import (
	"context"
	"strconv"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/web/adminapi/call"
	"github.com/mandate-health/mandate/web/route"
)

// Brands publishes the user-access brands of this tenant.
type Brands interface {
	// Published gives the bundle and its version. Errors: errs.NotFound.
	Published(ctx context.Context) (raw []byte, version int, err error)
	// Publish puts a bundle in place of the version, 0 for whatever is there, and
	// gives it as it is published. Errors: errs.Invalid and errs.Unprocessable
	// naming the elements, errs.PreconditionFailed.
	Publish(ctx context.Context, raw []byte, version int, origin audit.Event) (published []byte, now int, err error)
	// Withdraw takes the bundle off the net. Errors: errs.NotFound,
	// errs.PreconditionFailed.
	Withdraw(ctx context.Context, version int, origin audit.Event) error
}

func (a *API) brandRoutes() []route.Route {
	on := call.Spec{Path: "/admin/brands", Owner: owner, PHI: route.NoPHI}
	show, publish, withdraw := on, on, on
	show.Method, show.ID, show.Tag, show.Summary = "GET", "showBrands", true, "Gives the bundle of brands as it is published."
	publish.Method, publish.ID, publish.Tag, publish.Match = "PUT", "publishBrands", true, true
	publish.Summary = "Publishes a bundle of brands in place of the one there is."
	withdraw.Method, withdraw.ID, withdraw.Match, withdraw.Summary = "DELETE", "withdrawBrands", true, "Takes the bundle of brands off the net."
	return []route.Route{call.On(a.Desk, show, a.brands), call.On(a.Desk, publish, a.publishBrands), call.On(a.Desk, withdraw, a.withdrawBrands)}
}

// brands gives the bundle as it is published (BRD-06).
func (a *API) brands(ctx context.Context, in *call.In[route.Empty, route.Empty]) (call.Resource, error) {
	raw, version, err := a.Brands.Published(ctx)
	if err == nil {
		in.Tag(strconv.Itoa(version))
	}
	return raw, err
}

// publishBrands puts a bundle in place of the one there is. With If-Match only in
// place of that version.
func (a *API) publishBrands(ctx context.Context, in *call.In[route.Empty, call.Resource]) (call.Resource, error) {
	version, err := in.Version()
	if err != nil {
		return nil, err
	}
	raw, now, err := a.Brands.Publish(ctx, in.Body, version, in.By)
	if err == nil {
		in.Tag(strconv.Itoa(now))
	}
	return raw, err
}

type withdrawn struct {
	Withdrawn bool `json:"withdrawn"`
}

// withdrawBrands takes the bundle off the net.
func (a *API) withdrawBrands(ctx context.Context, in *call.In[route.Empty, route.Empty]) (withdrawn, error) {
	version, err := in.Version()
	if err != nil {
		return withdrawn{}, err
	}
	return withdrawn{true}, a.Brands.Withdraw(ctx, version, in.By)
}
