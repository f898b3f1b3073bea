package app

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mandate-health/mandate/internal/health"
	"github.com/mandate-health/mandate/internal/ids"
)

const (
	// wantFiles is how many files a busy server holds open besides its
	// connections.
	wantFiles = 512
	gigabyte  = 1 << 30
)

// hostChecks look at the machine and the process.
//
// long: each row is one question.
func (d *doctor) hostChecks() []health.Check {
	return []health.Check{
		ask("host-user", "whether the server has power over the whole machine", "run it as a user of its own", func() health.Finding {
			return health.Wish(os.Geteuid() != 0, "user id %d", os.Geteuid())
		}),
		ask("host-files", "how many files may be open at once", "raise the limit (ulimit -n, LimitNOFILE=)", d.files),
		ask("host-core-dumps", "whether a crash writes keys and records to the disk", "set the limit to 0 (ulimit -c 0, LimitCORE=0)", func() health.Finding {
			var l unix.Rlimit
			if err := unix.Getrlimit(unix.RLIMIT_CORE, &l); err != nil {
				return health.Unseen("the limit cannot be read")
			}
			return health.Wish(l.Cur == 0, "core dumps of up to %d bytes", l.Cur)
		}),
		ask("host-swap", "whether memory, and keys in it, may be written to a disk", "switch swap off, or encrypt it", func() health.Finding {
			raw, err := os.ReadFile("/proc/swaps")
			if err != nil {
				return health.Unseen("/proc/swaps cannot be read")
			}
			n := strings.Count(strings.TrimSpace(string(raw)), "\n")
			return health.Wish(n == 0, "%d swap areas", n)
		}),
		ask("host-disk", "the space left where the data is", "make room", d.disk),
		ask("host-data-folder", "who can enter the data folder", "chmod 700", d.dataFolder),
		ask("host-data-files", "who can read the files of the store", "chmod 600 on each", d.dataFiles),
		ask("host-data-temporary", "whether the data is on a disk that survives a restart", "choose another folder with data", func() health.Finding {
			path, err := filepath.Abs(d.cfg.Data)
			return health.Wish(err == nil && (d.cfg.Database != "" || !strings.HasPrefix(path, os.TempDir()+"/") && !strings.HasPrefix(path, "/dev/shm/")), "%s", path)
		}),
		ask("host-memory", "whether there is memory for password hashes at full load", "add memory, or lower GOMEMLIMIT's rival needs", d.memory),
		ask("host-memory-limit", "whether the program knows its memory limit", "set GOMEMLIMIT to some 90 percent of the container's memory", func() health.Finding {
			limit := debug.SetMemoryLimit(-1)
			if limit == math.MaxInt64 {
				return health.Note("GOMEMLIMIT is not set")
			}
			return health.Wish(limit >= 200<<20, "GOMEMLIMIT is %d MiB", limit>>20)
		}),
		ask("host-processors", "how many processors the program may use", "give it two or more", func() health.Finding {
			return health.Wish(runtime.GOMAXPROCS(0) >= 2, "%d", runtime.GOMAXPROCS(0))
		}),
		ask("host-clock", "whether the clock is plausible", "let the machine follow time servers", func() health.Finding {
			now := d.clock.Now()
			return health.Want(now.After(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) && now.Before(time.Date(2076, 1, 1, 0, 0, 0, 0, time.UTC)), "%s", now.Format(time.RFC3339))
		}),
		ask("host-clock-synchronised", "whether the kernel thinks that its clock is synchronised", "install chrony or systemd-timesyncd", func() health.Finding {
			var t unix.Timex
			state, err := unix.Adjtimex(&t)
			if err != nil {
				return health.Unseen("the kernel does not tell")
			}
			return health.Wish(state != unix.TIME_ERROR, "synchronised: %v", state != unix.TIME_ERROR)
		}),
		ask("host-time-zone", "the time zone of the process", "set TZ=UTC, so that the log reads as the audit log does", func() health.Finding {
			name, offset := d.clock.Now().Local().Zone()
			if offset != 0 {
				return health.Note("%s; Mandate itself counts in UTC", name)
			}
			return health.Good("%s", name)
		}),
		ask("host-proxy-variables", "whether outgoing requests could be led through a proxy", "unset HTTP_PROXY and HTTPS_PROXY; Mandate does not use them for the upstream", func() health.Finding {
			set := os.Getenv("HTTP_PROXY")+os.Getenv("HTTPS_PROXY")+os.Getenv("http_proxy")+os.Getenv("https_proxy") != ""
			return health.Wish(!set, "set: %v", set)
		}),
		ask("host-debug", "whether Go's debugging is switched on", "unset GODEBUG and SSLKEYLOGFILE", func() health.Finding {
			return health.Wish(os.Getenv("GODEBUG") == "" && os.Getenv("SSLKEYLOGFILE") == "", "GODEBUG %q", os.Getenv("GODEBUG"))
		}),
		ask("host-program", "who can replace the program", "chmod 755, owned by root", program),
		ask("program-version", "the version of the program", "", func() health.Finding {
			return health.Note("mandate %s, %s", Version, runtime.Version())
		}),
		ask("password-cost", "the cost of a password guess for whoever steals the hashes", "use at least 19 MiB and two passes", func() health.Finding {
			m, t := d.cfg.Passwords.hasher(ids.Source{}, nil).Cost()
			least := weakest(int(m >> 10))
			return health.Want(least > 0 && int(t) >= least, "Argon2id with %d KiB and %d passes", m, t)
		}),
		ask("password-ceiling", "how many password hashes may run at once", "lower the ceiling", func() health.Finding {
			h := d.cfg.Passwords.hasher(ids.Source{}, nil)
			n := h.Ceiling()
			m, _ := h.Cost()
			return health.Wish(n <= 2*runtime.NumCPU(), "%d at once on %d processors, in %d MiB; the others wait in a queue", n, runtime.NumCPU(), n*int(m>>10))
		}),
	}
}

func (d *doctor) files() health.Finding {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return health.Unseen("the limit cannot be read")
	}
	want := uint64(d.cfg.HTTP.complete().MaxConnections + wantFiles)
	return health.Wish(l.Cur >= want, "%d; http.max_connections asks for %d", l.Cur, want)
}

// disk tells the space where the embedded store is, or of the working folder.
func (d *doctor) disk() health.Finding {
	path := d.cfg.Data
	if _, err := os.Stat(path); err != nil {
		path = "."
	}
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return health.Unseen("the file system does not tell")
	}
	left := s.Bavail * uint64(s.Bsize)
	percent := 100 * s.Bavail / max(s.Blocks, 1)
	switch {
	case left < gigabyte/2:
		return health.Fail("%d MiB left", left>>20)
	case percent < 10 || left < 2*gigabyte:
		return health.Warn("%d MiB left, %d percent", left>>20, percent)
	default:
		return health.Good("%d MiB left, %d percent", left>>20, percent)
	}
}

func (d *doctor) dataFolder() health.Finding {
	if d.cfg.Database != "" {
		return health.Note("the data is in PostgreSQL")
	}
	info, err := os.Stat(d.cfg.Data)
	if err != nil {
		return health.Note("there is no folder yet")
	}
	return health.Want(info.Mode().Perm()&0o077 == 0, "mode %04o", info.Mode().Perm())
}

func (d *doctor) dataFiles() health.Finding {
	entries, err := os.ReadDir(d.cfg.Data)
	if err != nil || d.cfg.Database != "" {
		return health.Note("there are none here")
	}
	var open []string
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o007 != 0 && e.Name() != "ca.pem" {
			open = append(open, e.Name())
		}
	}
	return health.Want(len(open) == 0, "%d files, open to everybody: %s", len(entries), strings.Join(open, ", "))
}

func (d *doctor) memory() health.Finding {
	var s unix.Sysinfo_t
	if err := unix.Sysinfo(&s); err != nil {
		return health.Unseen("the kernel does not tell")
	}
	total := s.Totalram * uint64(s.Unit)
	h := d.cfg.Passwords.hasher(ids.Source{}, nil)
	m, _ := h.Cost()
	need := uint64(h.Ceiling())*uint64(m)<<10 + 200<<20
	return health.Want(total >= need, "%d MiB; at full load some %d MiB are needed", total>>20, need>>20)
}

func program() health.Finding {
	path, err := os.Executable()
	if err != nil {
		return health.Unseen("the program does not know its file")
	}
	info, err := os.Stat(path)
	if err != nil {
		return health.Unseen("the file of the program cannot be looked at")
	}
	return health.Want(info.Mode().Perm()&0o002 == 0, "mode %04o", info.Mode().Perm())
}
