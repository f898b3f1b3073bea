package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/keys"
	tenants "github.com/mandate-health/mandate/internal/tenant"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/store"
)

// drillStep is one step of a drill and how long it took.
type drillStep struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
}

// drillReport is the evidence of a drill (SG-09).
type drillReport struct {
	At      time.Time `json:"at"`
	Program string    `json:"program"`
	Backup  string    `json:"backup"`
	Taken   time.Time `json:"taken"`
	Bytes   int64     `json:"bytes"`
	Tables  int       `json:"tables"`
	Rows    int64     `json:"rows"`
	// RPO is how much would be lost if everything were lost now, RTO how long
	// it took from the backup to the first log-in.
	RPO float64 `json:"recovery_point_seconds"`
	RTO float64 `json:"recovery_time_seconds"`
	// JournalUntil is how far the revocation journal reached; zero when
	// everything was revoked in its place.
	JournalUntil     time.Time `json:"revocation_journal_until,omitzero"`
	RevokeEverything bool      `json:"revoke_everything,omitempty"`
	Replayed         replayed  `json:"replayed"`
	// AuditIntact counts the events of the audit log that were verified.
	AuditIntact int64 `json:"audit_events_intact"`
	// StillRevoked counts the revocations of the journal and the tokens that
	// were tried and refused.
	StillRevoked int         `json:"still_revoked"`
	TokensTried  int         `json:"revoked_tokens_refused"`
	Login        bool        `json:"synthetic_login"`
	Steps        []drillStep `json:"steps"`
	// Faults are empty when the drill passed.
	Faults []string `json:"faults"`
	Passed bool     `json:"passed"`
}

// drill restores a backup into a scratch store and tries it out.
type drill struct {
	restoring
	scratch emptyStore

	cfg    Config
	ids    ids.Source
	log    *slog.Logger
	report drillReport
	began  time.Time
	name   string
	done   restored
}

// maxTried bounds how many revoked grants are tried with a token each.
const maxTried = 100

// part runs one part and notes its time.
func (d *drill) part(name string, fn func() error) error {
	began := d.clock.Now()
	err := fn()
	d.report.Steps = append(d.report.Steps, drillStep{name, d.clock.Now().Sub(began).Seconds()})
	if err != nil {
		return fmt.Errorf("%s: %w", name, explain(err))
	}
	return nil
}

// run goes through all parts. A part that fails ends the drill, and is in the
// report.
func (d *drill) run(ctx context.Context) drillReport {
	d.began, d.name = d.clock.Now(), "drill-"+d.ids.ID()[:8]
	d.report.At, d.report.Program, d.report.Backup = d.began, Version, d.from.ID
	d.report.Taken, d.report.Bytes = d.from.Taken, d.from.Size
	d.report.RPO, d.report.RevokeEverything = d.began.Sub(d.from.Taken).Seconds(), d.everything
	for _, p := range []struct {
		name string
		fn   func(context.Context) error
	}{
		{"restore", d.restore}, {"verify the audit log", d.verifyAudit}, {"look for what came back", d.resurrected},
		{"serve and log in", d.serveAndTry},
	} {
		if err := d.part(p.name, func() error { return p.fn(ctx) }); err != nil {
			d.report.Faults = append(d.report.Faults, err.Error())
			break
		}
	}
	d.report.Passed = len(d.report.Faults) == 0
	return d.report
}

func (d *drill) restore(ctx context.Context) (err error) {
	d.done, err = d.restoring.run(ctx)
	d.report.Tables, d.report.Rows = d.done.Total.Tables, d.done.Total.Rows
	d.report.Replayed, d.report.JournalUntil = d.done.Replayed, d.done.Until
	return err
}

// verifyAudit verifies the log of every tenant.
func (d *drill) verifyAudit(ctx context.Context) error {
	all, err := d.store.Tenants(ctx)
	if err != nil {
		return err
	}
	names := []string{tenants.Default}
	for _, t := range all {
		if t.ID != tenants.Default {
			names = append(names, t.ID)
		}
	}
	for _, name := range names {
		r, err := audit.VerifyTenant(ctx, d.store, name, d.clock.Now())
		if err != nil {
			return err
		}
		d.report.AuditIntact += r.Intact
		if !r.OK() {
			return errs.New(errs.Unprocessable, "drill-audit", fmt.Sprintf("The audit log of %s has %d faults; run mandate audit verify on a restored store.", name, r.Faults))
		}
	}
	return nil
}

// resurrected looks whether anything that the journal says was revoked stands.
func (d *drill) resurrected(ctx context.Context) error {
	for _, l := range d.done.lines {
		alive, err := stands(ctx, d.store, l.Entry, d.clock.Now())
		if err != nil {
			return err
		}
		if alive {
			return errs.New(errs.Unprocessable, "drill-resurrected", fmt.Sprintf("The restore brought back the %s %s, which was revoked.", l.Kind, l.Subject))
		}
		d.report.StillRevoked++
	}
	return nil
}

// serveAndTry starts the program on the scratch store, on loopback, and uses it
// as a person and as apps with revoked grants would.
func (d *drill) serveAndTry(ctx context.Context) error {
	// Nothing of the drill reaches the real FHIR server.
	upstream := httptest.NewServer(http.NotFoundHandler())
	defer upstream.Close()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	a := d.server(upstream.URL)
	password, err := d.person(ctx, a)
	if err != nil {
		return err
	}
	issuer := publicURL("http", l.Addr())
	tokens, control, err := d.tokens(ctx, issuer)
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- a.serve(serving, l) }()
	err = d.use(ctx, issuer, password, tokens, control)
	stop()
	if e := <-ended; err == nil {
		err = e
	}
	return err
}

// server is the program on the scratch store, with all that its jobs need: they
// run when a drill takes long.
func (d *drill) server(upstream string) *App {
	return &App{
		cfg: Config{Upstream: upstream, KeySettings: d.cfg.KeySettings, Data: d.cfg.Data, Database: d.cfg.Database},
		log: d.log, ids: d.ids, clock: d.clock, store: d.store, passwords: d.cfg.Passwords.hasher(d.ids, nil),
		provider: d.scratch.provider, envelope: d.scratch.envelope,
	}
}

// ring gives the restored signing keys.
func (d *drill) ring() (*keys.Ring, error) {
	return newRing(d.store, d.clock, d.scratch.provider, d.cfg.KeySettings)
}

// person makes the synthetic person and gives its password.
func (d *drill) person(ctx context.Context, a *App) (string, error) {
	ring, err := d.ring()
	if err != nil {
		return "", err
	}
	hasher, err := ring.Hasher(ctx, tenants.Default)
	if err != nil {
		return "", err
	}
	password := d.ids.Secret()
	_, err = a.newIdentity(hasher).CreateAccount(ctx, identity.NewAccount{Password: password, Person: identity.Person{
		ID: d.name, Tenant: tenants.Default, Username: d.name, Name: "Restore drill", Role: identity.RolePatient,
		Identities: []identity.Identity{{Resource: fhir.Reference{Type: "Patient", ID: d.name}, Patient: d.name, Verified: true}},
	}})
	return password, err
}

// tokens signs, with the restored keys, one access token for each of some
// revoked grants, and one for a grant that stands, by which one sees that the
// others are refused for their grant.
func (d *drill) tokens(ctx context.Context, issuer string) (revoked []string, control string, err error) {
	now := d.clock.Now()
	client := oauth.Client{Tenant: tenants.Default, ID: d.name, Kind: oauth.ClientPublic, Name: "Restore drill", Created: now,
		RedirectURIs: []string{"https://drill.example/cb"}, Scopes: "patient/Patient.rs"}
	live := oauth.Grant{
		Tenant: tenants.Default, ID: d.name, PersonID: d.name, ClientID: d.name, Scopes: "patient/Patient.rs",
		Capacity: fhir.Capacity{Kind: fhir.CapacitySelf, Acting: fhir.Reference{Type: "Patient", ID: d.name}, Patient: d.name},
		Context:  oauth.Context{Patient: d.name}, AuthTime: now, Created: now, Ends: now.Add(time.Hour),
	}
	err = d.store.InTx(ctx, func(tx store.Tx) error {
		if err := tx.PutClient(ctx, client); err != nil {
			return err
		}
		return tx.CreateGrant(ctx, live)
	})
	if err != nil {
		return nil, "", err
	}
	ring, err := d.ring()
	if err != nil {
		return nil, "", err
	}
	sign := func(g oauth.Grant) (string, error) {
		client, err := d.store.ClientByID(ctx, g.Tenant, g.ClientID)
		if err != nil && !errs.Is(err, errs.NotFound) {
			return "", err
		}
		return ring.Sign(ctx, g.Tenant, keys.UseAccessToken, "at+jwt", map[string]any{
			"iss": issuer, "aud": issuer + fhirPath, "sub": g.PersonID, "client_id": g.ClientID, "iat": now.Unix(),
			"exp": now.Add(5 * time.Minute).Unix(), "jti": d.ids.ID(), "scope": g.Scopes, "patient": g.Record(), "grant": g.ID, "epoch": client.Epoch,
		})
	}
	if control, err = sign(live); err != nil {
		return nil, "", err
	}
	dead, err := d.store.RevokedGrants(ctx, tenants.Default, maxTried)
	for _, g := range dead {
		token, e := sign(g)
		if err == nil {
			err = e
		}
		revoked = append(revoked, token)
	}
	return revoked, control, err
}

// use logs in and tries the tokens over HTTP.
func (d *drill) use(ctx context.Context, issuer, password string, revoked []string, control string) error {
	target, err := d.reach(ctx, issuer, password)
	if err != nil {
		return err
	}
	b := target.NewBrowser(target.People[0])
	page, err := b.Open(ctx, issuer+"/home", "")
	if err != nil {
		return err
	}
	form := page.FormWith("password")
	if form == nil {
		return errs.New(errs.Unprocessable, "drill-login", "The restored server shows no log-in page.")
	}
	form.Set("username", d.name)
	form.Set("password", password)
	home, err := b.Submit(ctx, form, nil, "")
	if err != nil {
		return err
	}
	for _, f := range home.Forms {
		d.report.Login = d.report.Login || strings.HasSuffix(f.Action, "/signout")
	}
	if !d.report.Login {
		return errs.New(errs.Unprocessable, "drill-login", "The synthetic person could not log in to the restored server.")
	}
	d.report.RTO = d.clock.Now().Sub(d.began).Seconds()
	read := func(token string) (int, error) {
		res, err := target.Do(ctx, kit.Request{URL: issuer + fhirPath + "/Patient/" + d.name, Header: http.Header{"Authorization": {"Bearer " + token}}})
		if err != nil {
			return 0, err
		}
		return res.Status, nil
	}
	if status, err := read(control); err != nil || status == http.StatusUnauthorized {
		return errs.Wrap(err, errs.Unprocessable, "drill-token", "A token of a grant that stands is refused by the restored server: its keys do not fit.")
	}
	for _, token := range revoked {
		status, err := read(token)
		if err != nil {
			return err
		}
		if status != http.StatusUnauthorized {
			return errs.New(errs.Unprocessable, "drill-resurrected", fmt.Sprintf("The restored server answers %d to a token of a revoked grant.", status))
		}
		d.report.TokensTried++
	}
	return nil
}

// reach waits until the server answers.
func (d *drill) reach(ctx context.Context, issuer, password string) (*kit.Target, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		t, err := kit.NewTarget(ctx, kit.Ready{
			Issuer: issuer, FHIRBase: issuer + fhirPath,
			People: []kit.Person{{Username: d.name, Password: password, Role: "patient", Patients: []string{d.name}}},
		})
		if err == nil {
			return t, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errs.Wrap(err, errs.Unprocessable, "drill-silent", "The restored server did not answer within a minute.")
		}
	}
}

// print tells a person how the drill went.
func (r drillReport) print(s *streams) {
	fmt.Fprintf(s.out, "drill with backup %s of %s (%d rows of %d tables, %d bytes)\n", r.Backup, r.Taken.Format(time.RFC3339), r.Rows, r.Tables, r.Bytes)
	for _, p := range r.Steps {
		fmt.Fprintf(s.out, "%8.2f s  %s\n", p.Seconds, p.Name)
	}
	fmt.Fprintf(s.out, "recovery point: %.0f s of data would be lost now; recovery time: %.1f s to the first log-in\n", r.RPO, r.RTO)
	fmt.Fprintf(s.out, "audit log: %d events intact; revoked again: %d of %d; still revoked: %d entries, %d tokens refused; log-in: %t\n",
		r.AuditIntact, r.Replayed.Applied, r.Replayed.Entries, r.StillRevoked, r.TokensTried, r.Login)
	for _, f := range r.Faults {
		fmt.Fprintln(s.out, "FAILED:", f)
	}
	if r.Passed {
		fmt.Fprintln(s.out, "passed")
	}
}

// scratch gives a folder for the store of a drill.
func scratch() (string, func(), error) {
	dir, err := os.MkdirTemp("", "mandate-drill-")
	if err != nil {
		return "", nil, fmt.Errorf("no folder for the scratch store: %w", err)
	}
	return filepath.Join(dir, "data"), func() { _ = os.RemoveAll(dir) }, nil
}

// drillLog lets only what went wrong through.
func drillLog(s *streams) *slog.Logger {
	return slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelError}))
}

// newDrill opens the scratch store of a drill.
func newDrill(ctx context.Context, cfg Config, r restoring) (*drill, error) {
	clk, src := clock.System{}, ids.Source{}
	empty, err := openToRestore(ctx, cfg, clk, src)
	if err != nil {
		return nil, err
	}
	r.store, r.clock = empty.store, clk
	return &drill{restoring: r, scratch: empty, cfg: cfg, ids: src}, nil
}
