package gateway

import (
	"strconv"
	"sync"
	"time"

	"github.com/mandate-health/mandate/audit"
)

// spikeWindow is over what time exported records are counted.
const spikeWindow = time.Hour

// maxSpikes bounds for how many clients records are counted; the rest are
// counted when an hour ends.
const maxSpikes = 10000

// spikes counts what clients export. It is safe for concurrent use.
type spikes struct {
	mu sync.Mutex
	by map[string]*spike
}

type spike struct {
	since time.Time
	count int
}

// add counts one record and reports whether it is the first one too many of its
// hour.
func (s *spikes) add(client string, now time.Time, most int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := s.by[client]
	if own == nil || now.Sub(own.since) >= spikeWindow {
		if own == nil && len(s.by) >= maxSpikes {
			s.drop(now)
		}
		if own == nil && len(s.by) >= maxSpikes {
			return false
		}
		if s.by == nil {
			s.by = map[string]*spike{}
		}
		own = &spike{since: now}
		s.by[client] = own
	}
	own.count++
	return own.count == most+1
}

// drop forgets the hours that have ended.
func (s *spikes) drop(now time.Time) {
	for client, own := range s.by {
		if now.Sub(own.since) >= spikeWindow {
			delete(s.by, client)
		}
	}
}

// exportedOne counts a record that leaves in an export. Too many in an hour are
// told by an event, once; the export goes on, since every record is one that the
// client may have.
func (a *act) exportedOne() {
	g, client := a.x.g, a.x.bearer.Client.ID
	if g.d.Spike <= 0 || !g.spikes.add(client, g.d.Clock.Now(), g.d.Spike) {
		return
	}
	e := a.x.origin
	e.Time, e.Kind, e.Action, e.Outcome, e.Reason = g.d.Clock.Now(), audit.AuditAlert, "E", audit.MinorFailure, "export-spike"
	e.Detail = map[string]string{"state": "spike", "subject": client, "records": strconv.Itoa(g.d.Spike)}
	if err := g.d.Recorder.Record(a.x.ctx, e); err != nil {
		g.d.Log.ErrorContext(a.x.ctx, "an export spike could not be recorded", "client", client, "err", err)
		return
	}
	g.d.Log.WarnContext(a.x.ctx, "export spike", "client", client, "count", g.d.Spike)
}
