package gateway

import (
	"strconv"
	"sync"

	"github.com/mandate-health/mandate/audit"
)

const (
	// spikeSteps is in how many steps the records of an hour are counted over all
	// nodes: each step costs a permit, and not each record.
	spikeSteps = 1000
	// maxSpikes bounds for how many clients a node remembers the records of a step
	// that is not complete; beyond it they begin anew.
	maxSpikes = 10000
)

// spikes counts the records that clients export towards the next step. It is safe
// for concurrent use.
type spikes struct {
	mu sync.Mutex
	by map[string]int
}

// add counts records and gives how many steps they complete.
func (s *spikes) add(client string, records, step int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil || len(s.by) >= maxSpikes {
		s.by = map[string]int{}
	}
	all := s.by[client] + records
	s.by[client] = all % step
	return all / step
}

// exportedMore counts records that leave in an export, at all nodes together. Too many
// in an hour are told by an event, once; the export goes on, since every record is
// one that the client may have.
func (a *act) exportedMore(records int) {
	g, client := a.x.g, a.x.bearer.Client.ID
	if g.d.Spike <= 0 || g.d.Spiked == nil || records == 0 {
		return
	}
	step := max(1, g.d.Spike/spikeSteps)
	for range g.spikes.add(client, records, step) {
		if g.d.Spiked(a.x.ctx, g.d.Tenant, client, g.d.Spike/step) {
			a.tellSpike(client)
		}
	}
}

func (a *act) tellSpike(client string) {
	g := a.x.g
	e := a.x.origin
	e.Time, e.Kind, e.Action, e.Outcome, e.Reason = g.d.Clock.Now(), audit.AuditAlert, "E", audit.MinorFailure, "export-spike"
	e.Detail = map[string]string{"state": "spike", "subject": client, "records": strconv.Itoa(g.d.Spike)}
	if err := g.d.Recorder.Record(a.x.ctx, e); err != nil {
		g.d.Log.ErrorContext(a.x.ctx, "an export spike could not be recorded", "client", client, "err", err)
		return
	}
	g.d.Log.WarnContext(a.x.ctx, "export spike", "client", client, "count", g.d.Spike)
}
