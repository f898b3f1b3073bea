package app

import (
	"context"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/health"
)

// brandCheck looks for tenants that people cannot find in apps, because nothing
// is published about them (SMART BRD-01, US-28).
func (d *doctor) brandCheck() []health.Check {
	return []health.Check{{
		ID: "brands-published", Looks: "whether apps can find each tenant by its user-access brands",
		Remedy: "publish them: mandate brand make, then mandate brand publish", Look: func(ctx context.Context) health.Finding {
			all, err := d.tenants(ctx)
			if err != nil {
				return health.Unseen("the tenants cannot be read")
			}
			slices.Sort(all)
			var none []string
			for _, t := range slices.Compact(all) {
				b, err := d.st.BrandBundle(ctx, t)
				if err != nil && !errs.Is(err, errs.NotFound) {
					return health.Unseen("the brands cannot be read")
				}
				if err != nil || len(b.JSON) == 0 {
					none = append(none, t)
				}
			}
			return health.Wish(len(none) == 0, "nothing is published for %s", strings.Join(none, ", "))
		},
	}}
}
