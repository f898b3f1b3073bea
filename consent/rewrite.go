package consent

import (
	"time"

	"github.com/mandate-health/mandate/fhir/view"
)

// stamp gives the resource with the id, the version and the time that it is
// stored under, and another status where status is not empty.
func stamp(raw []byte, id string, version int, at time.Time, status string) ([]byte, error) {
	stamped, err := view.Stamp(raw, id, version, at)
	if err != nil || status == "" {
		return stamped, err
	}
	list, err := view.Members(stamped)
	if err != nil {
		return nil, err
	}
	return view.Join(view.Set(list, "status", view.Quote(status))), nil
}
