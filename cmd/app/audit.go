package app

import (
	"context"
	"net"
	"os"
	"sync"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/audit/alert"
	"github.com/mandate-health/mandate/audit/export"
	"github.com/mandate-health/mandate/audit/fhirevent"
	"github.com/mandate-health/mandate/audit/retention"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/internal/jobs"
	tenants "github.com/mandate-health/mandate/internal/tenant"
	"github.com/mandate-health/mandate/store"
)

// AuditConfig says where the audit log is sent to and when something is wrong
// with it.
type AuditConfig struct {
	// Syslog is the receiver of every event, over TLS (RFC 5425).
	Syslog string `name:"audit-syslog" help:"Send every audit event to this syslog receiver over TLS (RFC 5424, RFC 5425)." placeholder:"HOST:PORT"`
	// SyslogCA verifies it; SyslogCert and SyslogKey are shown to it.
	SyslogCA   string `name:"audit-syslog-ca" key:"syslog_ca_file" help:"PEM file with the receiver's authorities; empty means the machine's." placeholder:"FILE" type:"existingfile"`
	SyslogCert string `name:"audit-syslog-cert" key:"syslog_cert_file" help:"PEM file with the client certificate to show to the receiver." placeholder:"FILE" type:"existingfile"`
	SyslogKey  string `name:"audit-syslog-key" key:"syslog_key_file" help:"PEM file with its private key." placeholder:"FILE" type:"existingfile"`
	// Skew is by how much a node's clock may be wrong before an alert.
	Skew time.Duration `name:"audit-clock-skew" default:"2s" help:"How far a node's clock may be off before an alert (default ${default})." placeholder:"TIME"`
}

func (c AuditConfig) validate(f *config.Faults) {
	if _, _, err := net.SplitHostPort(c.Syslog); c.Syslog != "" && err != nil {
		f.Add("audit.syslog", "%q is not HOST:PORT", c.Syslog)
	}
	if (c.SyslogCert == "") != (c.SyslogKey == "") {
		f.Add("audit.syslog_cert_file", "syslog_cert_file and syslog_key_file belong together")
	}
	if c.Skew < 0 {
		f.Add("audit.clock_skew", "%s is negative", c.Skew)
	}
}

// auditing is what the process does with the log beside writing it.
type auditing struct {
	sealer  *audit.Sealer
	watcher *alert.Watcher
	keeper  *retention.Service
	// stream is nil where no receiver is configured.
	stream *export.Stream
	log    interface {
		ErrorContext(ctx context.Context, msg string, args ...any)
	}

	mu   sync.Mutex
	turn jobs.Turn
}

// retentionOf gives the use-cases of retention and holds.
func (a *App) retentionOf() *retention.Service {
	return retention.New(retention.Deps{
		Store: a.store, Tx: on(a.store, func(tx store.Tx) retention.Tx { return tx }), Secrets: a.store, Clock: a.clock, IDs: a.ids,
	})
}

// buildAudit joins sealing, alerts, retention and the stream.
func (a *App) buildAudit() error {
	a.queue = audit.NewQueue(a.store, audit.QueueConfig{})
	au := &auditing{
		sealer: audit.NewSealer(audit.SealerDeps{Ledger: a.store, Secrets: a.store, Clock: a.clock, IDs: a.ids}),
		keeper: a.retentionOf(), log: a.log,
	}
	if a.cfg.Audit.Syslog != "" {
		tlsConfig, err := export.ClientTLS(a.cfg.Audit.SyslogCA, a.cfg.Audit.SyslogCert, a.cfg.Audit.SyslogKey)
		if err != nil {
			return err
		}
		au.stream = export.NewStream(export.StreamDeps{
			Store: a.store, Address: a.cfg.Audit.Syslog, TLS: tlsConfig, Names: a.auditNamesOf, Clock: clock.System{},
		})
	}
	au.watcher = alert.New(alert.Deps{
		Store: a.store, Node: a.nodeName(), Seals: au.sealer.Status, Stream: au.streamState, Tenant: tenants.Default,
		Limits: alert.Limits{Skew: a.cfg.Audit.Skew}, Clock: a.clock, Log: a.log,
	})
	a.audit = au
	return nil
}

// nodeName is the same after a restart, so that a node that comes back is not
// called silent.
func (a *App) nodeName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "node"
	}
	return host + " " + a.cfg.Listen
}

// auditNamesOf says how events call a tenant's server; one that is not served
// here is called like the default one.
func (a *App) auditNamesOf(id string) fhirevent.Names {
	if t := a.tenant(id); t != nil {
		return t.auditNames()
	}
	return a.home.auditNames()
}

// streamState tells the alert rules about the stream.
func (au *auditing) streamState() *alert.Stream {
	if au.stream == nil {
		return nil
	}
	s := au.stream.Status()
	if s.Rounds == 0 {
		return nil // another node sends
	}
	return &alert.Stream{Address: s.Address, Waiting: s.Waiting, Since: s.Since, Failure: s.Failure}
}

// auditJobs lists what one node of all does.
func (a *App) auditJobs() []leaderJob {
	out := []leaderJob{
		{"audit-seal", audit.TickEvery, a.audit.seal},
		{"audit-retention", 24 * time.Hour, a.audit.erase},
	}
	if a.audit.stream != nil {
		out = append(out, leaderJob{"audit-syslog", time.Second, a.audit.send})
	}
	return out
}

// seal appends new events to the Merkle tree of their tenant.
func (au *auditing) seal(ctx context.Context, t jobs.Turn) error {
	au.mu.Lock()
	fresh := t != au.turn
	au.turn = t
	au.mu.Unlock()
	if fresh {
		context.AfterFunc(ctx, au.sealer.Rest)
	}
	return au.sealer.Tick(ctx)
}

// erase erases what is older than it is kept.
func (au *auditing) erase(ctx context.Context, _ jobs.Turn) error {
	_, err := au.keeper.Run(ctx)
	return err
}

// send sends what was sealed.
func (au *auditing) send(ctx context.Context, _ jobs.Turn) error {
	return au.stream.Round(ctx)
}

// watch raises alerts until ctx ends, and says good-bye then.
func (au *auditing) watch(ctx context.Context) {
	tick := time.NewTicker(alert.Every)
	defer tick.Stop()
	for {
		if err := au.watcher.Round(ctx); err != nil && ctx.Err() == nil {
			au.log.ErrorContext(ctx, "audit log not watched", "err", err)
		}
		select {
		case <-tick.C:
			continue
		case <-ctx.Done():
		}
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
		defer cancel()
		if err := au.watcher.Leave(late); err != nil {
			au.log.ErrorContext(late, "the end of this node was not told", "err", err)
		}
		if au.stream != nil {
			au.stream.Close()
		}
		return
	}
}

// goodbye bounds what a node does when it ends.
const goodbye = 2 * time.Second
