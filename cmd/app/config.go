package app

import (
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/internal/limit"
	"github.com/mandate-health/mandate/internal/notify/sms"
	"github.com/mandate-health/mandate/internal/notify/smtp"
	"github.com/mandate-health/mandate/internal/notify/webhook"
	"github.com/mandate-health/mandate/internal/telemetry"
	"github.com/mandate-health/mandate/internal/tlsconf"
)

// Config says how one process runs. Each field with a help text is a setting: a
// flag of dev and serve, a key of the configuration file and an environment
// variable (internal/config). Its zero value is not valid; Validate names every
// fault at once.
type Config struct {
	// Listen is the TCP address of the main listener, such as
	// 127.0.0.1:8080; port 0 takes a free one.
	Listen string `default:"127.0.0.1:8080" help:"Address to listen on (default ${default})." placeholder:"HOST:PORT"`
	// PublicURL is the URL under which browsers and apps reach the main
	// listener; empty derives it from Listen, with localhost for loopback.
	PublicURL string `name:"public-url" help:"URL under which browsers and apps reach this server." placeholder:"URL"`
	// Upstream is the FHIR base to protect; empty starts the sandbox
	// (development only).
	Upstream string `help:"Base URL of the FHIR server to protect." placeholder:"URL"`
	// Data is the folder of the embedded store; Database a PostgreSQL URL.
	// Exactly one is used: Database wins.
	Data     string `default:"./mandate-data" help:"Folder of the embedded store (default ${default})." placeholder:"DIR"`
	Database string `secret:"url" help:"PostgreSQL URL to use in place of the embedded store; may name several hosts." placeholder:"URL"`
	// DatabasePooler says that Database leads to a transaction pooler,
	// DatabaseConnections bounds the pool (0: the default of the engine), and
	// DatabasePlaintext allows another machine without verified TLS.
	DatabasePooler      bool `name:"database-pooler" help:"The database URL leads to a transaction pooler such as PgBouncer."`
	DatabaseConnections int  `name:"database-connections" default:"0" help:"Greatest number of connections to PostgreSQL; 0 takes 8, or four per processor when that is more." placeholder:"N"`
	// DatabaseReports is a read replica for long reports; empty: none.
	DatabaseReports   string `name:"database-reports" secret:"url" help:"PostgreSQL URL of a read replica for long reports of the audit log; the primary answers while it is away or more than five minutes behind." placeholder:"URL"`
	DatabasePlaintext bool   `name:"unsafe-database-plaintext" help:"Allow PostgreSQL on another machine without verified TLS. Everything can then be read and changed on the way."`
	// DemoAccounts lets serve start beside accounts of the demonstration.
	DemoAccounts bool `name:"unsafe-demo-accounts" help:"Serve a store that mandate dev has filled. Everybody knows the passwords of its accounts."`
	// KeySettings say where the key-encryption keys are.
	KeySettings
	// ClientFiles hold JSON lists of clients to register at start.
	ClientFiles []string `name:"client" key:"client_files" help:"JSON file with clients to register at start; may be repeated." placeholder:"FILE" type:"existingfile"`
	// Staleness bounds how old a revocation made on another node may be before
	// this one counts it; zero asks the store about every token (D17).
	Staleness time.Duration `name:"revocation-staleness" default:"5s" help:"How late another node's revocation may count here (default ${default}); 0s asks the store each time." placeholder:"TIME"`
	// DPoPNonce asks every DPoP proof for a nonce (RFC 9449 §8).
	DPoPNonce bool `name:"dpop-nonce" help:"Ask for a nonce of this server in every DPoP proof. Without, only clients registered with dpop_nonce_required are asked."`
	// HelpPhone is printed on every page.
	HelpPhone string `name:"help-phone" default:"+1 555 0100" help:"Telephone number printed on every page."`
	// Organization is the name of who runs this server, as people know it;
	// OrganizationRef its FHIR reference, such as Organization/1, which
	// consents name as custodian.
	Organization    string `help:"Name of the organization that runs this server, as people know it." placeholder:"NAME"`
	OrganizationRef string `name:"organization-ref" help:"FHIR reference of that organization, named as custodian in consents." placeholder:"Organization/ID"`
	// LifeConfig says what law and place decide about people who help.
	LifeConfig
	// TrustedProxies are networks whose X-Forwarded-For is believed.
	TrustedProxies []string `name:"trusted-proxy" key:"trusted_proxies" help:"Network whose X-Forwarded-For is believed; may be repeated." placeholder:"CIDR"`
	// ClockOffset is a file with a Go duration by which the clock is wrong,
	// read each second. Unsafe outside tests.
	ClockOffset string `name:"unsafe-clock-offset" help:"File with a duration by which the clock is shifted. For tests only." placeholder:"FILE" type:"existingfile"`
	// UpstreamCA, UpstreamCert and UpstreamKey say how the FHIR server behind
	// is verified and how we prove ourselves to it.
	UpstreamCA   string `name:"upstream-ca" key:"upstream_ca_file" help:"PEM file with the authorities that the upstream's certificate must come from; empty means those of the machine." placeholder:"FILE" type:"existingfile"`
	UpstreamCert string `name:"upstream-cert" key:"upstream_cert_file" help:"PEM file with the client certificate to show to the upstream." placeholder:"FILE" type:"existingfile"`
	UpstreamKey  string `name:"upstream-key" key:"upstream_key_file" help:"PEM file with its private key." placeholder:"FILE" type:"existingfile"`
	// AppState lets apps keep state of their own (SMART App State, experimental).
	AppState bool `name:"app-state" help:"Let apps keep state of their own (SMART App State, experimental)."`
	// ReadyUpstream counts the upstream for readiness.
	ReadyUpstream bool `name:"ready-upstream" help:"Let /readyz fail while the upstream cannot be reached."`

	Transport tlsconf.Config `embed:"" section:"tls"`
	MTLS      MTLSConfig     `embed:"" section:"mtls"`
	HTTP      HTTPConfig     `embed:"" section:"http"`
	Audit     AuditConfig    `embed:"" section:"audit"`
	Notify    webhook.Config `embed:"" section:"notify"`
	Mail      smtp.Config    `embed:"" section:"notify"`
	SMS       sms.Config     `embed:"" section:"notify"`
	Reminders ReminderConfig `embed:"" section:"notify"`
	Limits    limit.Config   `embed:"" section:"limits"`
	Push      PushConfig     `embed:"" section:"par"`
	Rules     RulesConfig    `embed:"" section:"rules"`
	// FHIRServer says how the FHIR server behind is asked.
	FHIRServer UpstreamConfig `embed:"" section:"fhir_server"`
	Labels     LabelConfig    `embed:"" section:"labels"`
	Passwords  PasswordConfig `embed:"" section:"passwords"`
	SignIn     SignInConfig   `embed:"" section:"signin"`
	Passkeys   PasskeyConfig  `embed:"" section:"passkeys"`
	UDAP       UDAPConfig     `embed:"" section:"udap"`
	// Federation says where else people sign in.
	Federation FederationConfig `embed:"" section:"federation"`
	SCIM       SCIMConfig       `embed:"" section:"scim"`
	// LDAP says which directory keeps passwords of staff.
	LDAP LDAPConfig `embed:"" section:"ldap"`

	Registration RegistrationConfig `embed:"" section:"registration"`

	Logging telemetry.LogConfig     `embed:"" section:"log"`
	Metrics telemetry.MetricsConfig `embed:"" section:"metrics"`
	Trace   telemetry.TraceConfig   `embed:"" section:"trace"`

	Backup BackupConfig `embed:"" section:"backup"`
	Door   DoorConfig   `embed:""`
	OffConfig

	// TLS serves HTTPS under a self-made authority (development only).
	TLS bool `kong:"-"`
	// Reset empties the data folder first (development only).
	Reset bool `kong:"-"`
	// ReadyFile is written when everything listens (development only).
	ReadyFile string `kong:"-"`
	// Dev adds the sandbox, demo people and clients, and the test routes.
	Dev bool `kong:"-"`
	// Families adds families at every place of the life cycle (development only).
	Families bool `kong:"-"`
	// Out receives what a human reads at start; Log everything else.
	Out io.Writer    `kong:"-"`
	Log *slog.Logger `kong:"-"`
}

// maxConnections is more than any PostgreSQL is well served by.
const maxConnections = 1000

// maxStaleness is the longest that a revocation may take (D17).
const maxStaleness = time.Minute

// Validate reports every fault of the configuration.
func (c *Config) Validate() error {
	var f config.Faults
	c.validateAddresses(&f)
	if c.Data == "" && c.Database == "" {
		f.Add("data", "a folder for the embedded store, or a database, is needed")
	}
	if c.DatabaseReports != "" && c.Database == "" {
		f.Add("database_reports", "there is no replica without a database")
	}
	if c.DatabaseConnections < 0 || c.DatabaseConnections > maxConnections {
		f.Add("database_connections", "%d is not between 0 and %d", c.DatabaseConnections, maxConnections)
	}
	if (c.UpstreamCert == "") != (c.UpstreamKey == "") {
		f.Add("upstream_cert_file", "upstream_cert_file and upstream_key_file belong together")
	}
	if _, ok := fhir.ParseReference(c.OrganizationRef); c.OrganizationRef != "" && !ok {
		f.Add("organization_ref", "%q is not a reference such as Organization/1", c.OrganizationRef)
	}
	if c.Staleness < 0 || c.Staleness > maxStaleness {
		f.Add("revocation_staleness", "%s is not between 0s and %s", c.Staleness, maxStaleness)
	}
	if c.Notify.URL != "" && c.Mail.Server != "" {
		f.Add("notify.smtp", "there is a webhook too: one of them takes the notices")
	}
	if _, err := (tlsconf.Client{CAFile: c.Mail.CAFile}).TLS(); err != nil {
		f.Add("notify.smtp_ca_file", "%v", err)
	}
	c.validateSMS(&f)
	c.validateKeys(&f)
	c.Backup.validate(c.Data, &f)
	c.Audit.validate(&f)
	c.Registration.validate(&f)
	c.OffConfig.validate(&f)
	c.Reminders.validate(&f)
	c.Rules.validate(c.Dev, &f)
	c.Labels.validate(&f)
	c.Passwords.validate(&f)
	c.SignIn.validate(&f)
	c.Passkeys.validate(&f)
	c.Federation.validate(c.Dev, &f)
	c.SCIM.validate(len(c.LDAP.Servers) > 0, &f)
	c.LDAP.validate(c.Dev, &f)
	c.LifeConfig.validate(&f)
	if !c.Dev {
		c.validateServe(&f)
	}
	return f.Err()
}

// validateAddresses holds where the server is found and what it protects.
func (c *Config) validateAddresses(f *config.Faults) {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		f.Add("listen", "%q is not HOST:PORT", c.Listen)
	}
	if c.PublicURL != "" {
		if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || strings.TrimSuffix(u.Path, "/") != "" {
			f.Add("public_url", "%q is not an http or https URL without a path", c.PublicURL)
		}
	}
	if c.Upstream != "" && !fullURL(c.Upstream) {
		f.Add("upstream", "%q is not an http or https URL such as https://fhir.example/r4", c.Upstream)
	}
	for _, text := range c.TrustedProxies {
		if _, err := netip.ParsePrefix(text); err != nil {
			f.Add("trusted_proxies", "%q is not a network such as 10.0.0.0/8", text)
		}
	}
}

// validateServe holds what production asks for beyond development.
func (c *Config) validateServe(f *config.Faults) {
	if c.Upstream == "" {
		f.Add("upstream", "the base URL of the FHIR server to protect is needed")
	}
	if c.TLS || c.Reset || c.ReadyFile != "" {
		f.Add("reset", "a self-made certificate, an emptied store and the ready file are for development")
	}
	if !strings.HasPrefix(c.PublicURL, "https://") {
		f.Add("public_url", "this must be the https URL that browsers use")
	}
}

// proxies gives the networks of TrustedProxies, which Validate has read before.
func (c *Config) proxies() []netip.Prefix {
	var out []netip.Prefix
	for _, text := range c.TrustedProxies {
		if p, err := netip.ParsePrefix(text); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// publicURL gives the URL of a listener for people: loopback addresses are
// called localhost, because browsers refuse passkeys on IP addresses (D15).
func publicURL(scheme string, addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return scheme + "://" + addr.String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsLoopback() || ip.IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}
