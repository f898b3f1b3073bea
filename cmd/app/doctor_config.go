package app

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/health"
)

// ask makes a check of what is known already.
func ask(id, looks, remedy string, look func() health.Finding) health.Check {
	return health.Check{ID: id, Looks: looks, Remedy: remedy, Look: func(context.Context) health.Finding { return look() }}
}

// configChecks judge the settings: they are valid, or the doctor would not have
// come this far, but a valid setting can be unwise.
//
// long: each row is one question.
func (d *doctor) configChecks() []health.Check {
	c, h := d.cfg, d.cfg.HTTP.complete()
	bounded := func(id string, is, most time.Duration, key string) health.Check {
		return ask(id, "the time limit "+key, "lower "+key, func() health.Finding {
			return health.Wish(is > 0 && is <= most, "%s; at most %s is wise", is, most)
		})
	}
	return append([]health.Check{
		ask("config-development", "whether this is a development server", "run mandate serve", func() health.Finding {
			return health.Want(!c.Dev, "development: %v", c.Dev)
		}),
		ask("config-public-url", "the public URL", "set public_url to the https URL that browsers use", func() health.Finding {
			u, err := url.Parse(c.PublicURL)
			return health.Want(err == nil && u.Scheme == "https" && net.ParseIP(u.Hostname()) == nil && u.Hostname() != "localhost" && u.Hostname() != "",
				"%q; it should be https and a name, since browsers refuse passkeys on addresses", c.PublicURL)
		}),
		ask("config-listen", "whether anything travels in the clear", "give a certificate, or listen on loopback behind a proxy", d.listening),
		ask("config-trusted-proxies", "which networks are believed about a client's address", "name the addresses of your proxies only", d.proxies),
		ask("config-clock-offset", "whether the clock is shifted", "remove unsafe_clock_offset", func() health.Finding {
			return health.Want(c.ClockOffset == "", "shifted by a file: %v", c.ClockOffset != "")
		}),
		ask("config-secrets-in-flags", "secrets that other users of the machine can see in the list of processes", "use database_file or the environment", func() health.Finding {
			u, err := url.Parse(c.Database)
			seen := err == nil && d.loaded.Origin("database") == "--database"
			if seen {
				_, seen = u.User.Password()
			}
			return health.Want(!seen, "a password in a flag: %v", seen)
		}),
		ask("config-unknown-variables", "environment variables that look like settings and are none", "correct their names", func() health.Finding {
			return health.Wish(len(d.loaded.Warnings) == 0, "%d such variables %s", len(d.loaded.Warnings), strings.Join(d.loaded.Warnings, "; "))
		}),
		ask("config-database", "which kind of store is used", "several nodes and failover need PostgreSQL", func() health.Finding {
			if c.Database == "" {
				return health.Note("the embedded store: one node, one disk")
			}
			return health.Good("PostgreSQL")
		}),
		ask("config-database-plaintext", "whether PostgreSQL may be reached without verified TLS", "remove unsafe_database_plaintext, use sslmode=verify-full", func() health.Finding {
			return health.Want(!c.DatabasePlaintext, "allowed: %v", c.DatabasePlaintext)
		}),
		ask("config-revocation-staleness", "how late another node's revocation may count", "lower revocation_staleness (D17: 5s)", func() health.Finding {
			return health.Wish(c.Staleness <= 5*time.Second, "%s", c.Staleness)
		}),
		ask("config-organization", "whether people are told who runs this server", "set organization and organization_ref", func() health.Finding {
			return health.Wish(c.Organization != "" && c.OrganizationRef != "", "name %q, reference %q", c.Organization, c.OrganizationRef)
		}),
		ask("config-help-phone", "whether the telephone number on every page is real", "set help_phone", func() health.Finding {
			return health.Wish(!strings.Contains(c.HelpPhone, "555 01"), "%q", c.HelpPhone)
		}),
		ask("config-client-files", "who can read the files of clients, which may hold secrets", "chmod 600", func() health.Finding { return openFiles(c.ClientFiles) }),
		ask("config-max-header", "the largest head of a request", "lower http.max_header_bytes", func() health.Finding {
			return health.Wish(h.MaxHeaderBytes <= 1<<20, "%d bytes", h.MaxHeaderBytes)
		}),
		ask("config-max-connections", "how many connections are taken at once", "lower http.max_connections", func() health.Finding {
			return health.Wish(h.MaxConnections <= 65536, "%d", h.MaxConnections)
		}),
		ask("config-drain", "whether a balancer has time to turn away at the end", "set http.drain_delay to two of its intervals", func() health.Finding {
			return health.Wish(c.HTTP.DrainDelay > 0 || c.Dev, "%s of 503 before the listener closes", c.HTTP.DrainDelay)
		}),
		ask("config-log-level", "whether the log tells more than operation needs", "set log.level to info", func() health.Finding {
			return health.Wish(c.Logging.Level != "debug", "%s", c.Logging.Level)
		}),
		ask("config-log-identifiers", "whether ids of people and clients stand in the log", "set log.identifiers to hash", func() health.Finding {
			return health.Wish(c.Logging.Identifiers != "plain", "%s", c.Logging.Identifiers)
		}),
		ask("config-metrics-listen", "who can read the metrics", "listen on loopback, or in the operators' network only", func() health.Finding {
			return health.Wish(c.Metrics.Listen == "" || loopback(c.Metrics.Listen), "listener %q", c.Metrics.Listen)
		}),
		ask("config-trace-endpoint", "whether traces travel in the clear", "use https for trace.endpoint", func() health.Finding {
			u, err := url.Parse(c.Trace.Endpoint)
			return health.Wish(c.Trace.Endpoint == "" || err == nil && (u.Scheme == "https" || loopback(net.JoinHostPort(u.Hostname(), "0"))), "traces to %q", c.Trace.Endpoint)
		}),
		ask("config-plain-listener", "whether a plain listener leads browsers to https", "set http.redirect_listen where no proxy does it", func() health.Finding {
			return health.Note("plain listener: %q", c.HTTP.RedirectListen)
		}),
	},
		bounded("config-read-header-timeout", h.ReadHeaderTimeout, 30*time.Second, "http.read_header_timeout"),
		bounded("config-read-timeout", h.ReadTimeout, 5*time.Minute, "http.read_timeout"),
		bounded("config-write-timeout", h.WriteTimeout, 15*time.Minute, "http.write_timeout"),
		bounded("config-idle-timeout", h.IdleTimeout, 10*time.Minute, "http.idle_timeout"),
	)
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (d *doctor) listening() health.Finding {
	c := d.cfg
	switch {
	case c.Transport.CertFile != "":
		return health.Good("TLS on %s", c.Listen)
	case loopback(c.Listen):
		return health.Good("plain HTTP on loopback, %s", c.Listen)
	default:
		return health.Fail("plain HTTP on %s, which other machines reach", c.Listen)
	}
}

func (d *doctor) proxies() health.Finding {
	for _, p := range d.cfg.proxies() {
		if p.Bits() == 0 || p.Addr().Is4() && p.Bits() < 8 {
			return health.Fail("%s: a client can claim any address, and escape every limit", p)
		}
		if !p.Addr().IsPrivate() && !p.Addr().IsLoopback() && p.Bits() < p.Addr().BitLen()-8 {
			return health.Warn("%s is a large public network", p)
		}
	}
	if len(d.cfg.proxies()) == 0 && d.cfg.Transport.CertFile == "" {
		return health.Warn("none, and TLS ends elsewhere: every client seems to come from the proxy")
	}
	return health.Good("%v", prefixes(d.cfg.proxies()))
}

func prefixes(list []netip.Prefix) []string {
	out := []string{}
	for _, p := range list {
		out = append(out, p.String())
	}
	return out
}

func openFiles(paths []string) health.Finding {
	var open []string
	for _, path := range paths {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o007 != 0 {
			open = append(open, path)
		}
	}
	return health.Want(len(open) == 0, "%d of %d are open to everybody: %s", len(open), len(paths), strings.Join(open, ", "))
}

// keyChecks look at where the key-encryption keys are.
func (d *doctor) keyChecks() []health.Check {
	return []health.Check{
		ask("keys-provider", "whether the key provider can be opened", "correct keys, or give the shares", func() health.Finding {
			if d.st == nil {
				return health.Unseen("it is asked together with the store")
			}
			return health.Want(d.locked == "", "opened: %v %s", d.locked == "", d.locked)
		}),
		ask("keys-provider-kind", "whether key-encryption keys are apart from the data", "use an HSM or a key service (docs/operations/keys.md)", func() health.Finding {
			p, _, err := d.cfg.provider()
			return health.Wish(err == nil && !p.file, "in a file: %v", p.file)
		}),
		ask("keys-file", "who can read the file of key-encryption keys", "chmod 600", func() health.Finding {
			p, path, err := d.cfg.provider()
			if err != nil || !p.file {
				return health.Note("there is none")
			}
			info, err := os.Stat(path)
			if err != nil {
				return health.Note("there is none yet")
			}
			return health.Want(info.Mode().Perm()&0o077 == 0, "mode %04o", info.Mode().Perm())
		}),
	}
}

// demoChecks look for what belongs to mandate dev.
func (d *doctor) demoChecks() []health.Check {
	return []health.Check{
		{ID: "demo-accounts", Looks: "accounts of the demo, whose passwords are public", Remedy: "begin with an empty store; serve refuses this one without unsafe_demo_accounts", Look: func(ctx context.Context) health.Finding {
			found, err := demoAccounts(ctx, d.st)
			if err != nil {
				return health.Unseen("the accounts cannot be read")
			}
			return health.Want(found == 0 || d.cfg.Dev, "%d accounts of the demo", found)
		}},
		{ID: "demo-clients", Looks: "clients of the demo", Remedy: "disable them, or begin with an empty store", Look: func(ctx context.Context) health.Finding {
			all, err := d.clients(ctx)
			if err != nil {
				return health.Unseen("the clients cannot be read")
			}
			found := 0
			for _, c := range all {
				if strings.HasPrefix(c.ID, "demo-") && !c.Disabled {
					found++
				}
			}
			return health.Want(found == 0 || d.cfg.Dev, "%d clients of the demo", found)
		}},
	}
}
