package protocol

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/strictjson"
	"github.com/mandate-health/mandate/internal/tlsconf"
	"github.com/mandate-health/mandate/web/problem"
)

// Where the key pins are published and where failures are reported (SE-11).
const (
	PinsPath       = "/.well-known/mandate-key-pins"
	PinReportsPath = PinsPath + "/reports"
)

const (
	// pinsMaxAge is for how many seconds an app may keep the pins.
	pinsMaxAge = 24 * 60 * 60
	// maxPinReport bounds the body of a report.
	maxPinReport = 8 << 10
	// maxReportedPins bounds the keys that a report names.
	maxReportedPins = 16
)

// Pins publishes the keys of this server's TLS: the one in use, and those that
// lie ready. keys gives nil where TLS ends before this server.
func Pins(issuer string, next string, keys func() []tlsconf.Pin, p *problem.Writer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		list := keys()
		if len(list) == 0 {
			p.JSON(w, r, errs.New(errs.NotFound, "key-pins-none", "TLS ends before this server, which therefore knows no key to pin."))
			return
		}
		body, err := json.Marshal(tlsconf.PinSet{
			Issuer: issuer, Pins: list, NextRotation: next, MaxAge: pinsMaxAge, ReportURI: issuer + PinReportsPath,
		})
		if err != nil {
			p.JSON(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "max-age=300")
		w.Header().Set("Access-Control-Allow-Origin", "*")
		_, _ = w.Write(append(body, '\n'))
	})
}

// pinReport is what an app tells about a connection whose key was in no set.
type pinReport struct {
	Host string    `json:"host"`
	Seen []string  `json:"seen_pins"`
	Time time.Time `json:"time"`
}

func (r pinReport) valid() bool {
	if r.Host == "" || len(r.Host) > 253 || len(r.Seen) == 0 || len(r.Seen) > maxReportedPins || r.Time.IsZero() {
		return false
	}
	for _, pin := range r.Seen {
		if !tlsconf.ValidPin(pin) {
			return false
		}
	}
	return true
}

// PinReports takes reports of pin failures. Anybody can send one, so they are
// bounded in size and number, and nothing of them is given back.
func PinReports(p *problem.Writer, log *slog.Logger, noted func()) http.Handler {
	enough := rate.NewLimiter(1, 30)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !enough.Allow() {
			p.JSON(w, r, errs.New(errs.RateLimited, "key-pin-reports-many", "Too many reports arrive at this moment."))
			return
		}
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPinReport))
		if err != nil {
			p.JSON(w, r, errs.New(errs.TooLarge, "key-pin-report-large", "A report has at most 8 KiB."))
			return
		}
		var report pinReport
		if strictjson.Read(raw, &report) != nil || !report.valid() {
			p.JSON(w, r, errs.New(errs.Invalid, "key-pin-report-malformed", "A report is a JSON object with host, seen_pins (a list of sha256/… pins) and time (RFC 3339)."))
			return
		}
		noted()
		log.WarnContext(r.Context(), "an app met a key that it had not pinned: somebody may stand between", "host", report.Host, "seen_pins", report.Seen, "at", report.Time.UTC())
		w.WriteHeader(http.StatusNoContent)
	})
}
