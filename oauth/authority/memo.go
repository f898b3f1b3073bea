package authority

import (
	"sync"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/oauth"
)

// judged is everything on which a re-decision rests that no consent takes part
// in: of people who act for themselves, and of staff.
type judged struct {
	granted, requested, registered string
	kind                           fhir.CapacityKind
	hasPatient, hasFHIRUser, keep  bool
}

// decisions remembers what was decided about equal questions. It is never out of
// date, because the answer rests on nothing else. The zero value is ready.
type decisions struct {
	mu  sync.RWMutex
	all map[judged]oauth.Redecision
}

// maxDecisions bounds the memory; beyond it everything is forgotten.
const maxDecisions = 4096

func (d *decisions) get(q judged) (oauth.Redecision, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	out, ok := d.all[q]
	return out, ok
}

func (d *decisions) put(q judged, out oauth.Redecision) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all == nil || len(d.all) >= maxDecisions {
		d.all = map[judged]oauth.Redecision{}
	}
	d.all[q] = out
}
