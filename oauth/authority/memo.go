package authority

import (
	"sync"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
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

// readings remembers what scope strings say, which rests on nothing but their text:
// the same token comes with each request, and is asked twice about. What is given is
// shared, and nobody changes it. The zero value is ready.
type readings struct {
	mu  sync.RWMutex
	all map[string]scope.Request
}

// maxReadings and longestReading bound the memory; what is longer is read each time.
const maxReadings, longestReading = 512, 2048

func (r *readings) of(text string) scope.Request {
	r.mu.RLock()
	out, ok := r.all[text]
	r.mu.RUnlock()
	if ok {
		return out
	}
	out = stored(text)
	if len(text) > longestReading {
		return out
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil || len(r.all) >= maxReadings {
		r.all = map[string]scope.Request{}
	}
	r.all[text] = out
	return out
}
