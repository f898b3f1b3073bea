package gateway

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/fhirapi"
)

// maxLine is the longest line of an export file, in bytes.
const maxLine = 16 << 20

// flushLines is after how many lines the standing of the token is asked again
// and what was gathered is sent.
const flushLines = 500

// file streams one file of an export, each line judged like any resource that
// leaves (SMART BLK-08). What was not recorded is not sent: each batch of
// lines has its event before it goes.
func (a *act) file(t ticket) (answer, error) {
	if !a.exportable(t.Type) {
		return answer{}, errs.New(errs.Forbidden, "no-scope", "The access token has no scope for "+t.Type+".rs.")
	}
	a.req.Type = t.Type
	members, err := a.exported(t.Group)
	if err != nil {
		return answer{}, err
	}
	from, err := a.x.g.d.Upstream.Stream(a.x.ctx, t.Address, mediaNDJSON)
	if err != nil {
		return answer{}, err
	}
	defer from.Close()
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	var batch bytes.Buffer
	for more := true; more; {
		var chunk []json.RawMessage
		for len(chunk) < flushLines && lines.Scan() {
			chunk = append(chunk, bytes.Clone(lines.Bytes()))
		}
		if more = len(chunk) == flushLines; more {
			if err := a.flush(&batch); err != nil {
				return answer{}, err
			}
		}
		if err := a.lines(chunk, t.Type, members, &batch); err != nil {
			return answer{}, err
		}
	}
	if err := lines.Err(); err != nil {
		return answer{}, errs.Wrap(err, errs.Upstream, "upstream-unreachable", "The FHIR server behind Mandate broke off.")
	}
	if err := a.x.stand(); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, media: mediaNDJSON, body: batch.Bytes(), begun: a.x.begun}, nil
}

// outsider reports whether a resource, or one that it contains, is about
// somebody outside the group (SMART BLK-07).
func outsider(res *fhir.Resource, members []string) bool {
	if members == nil {
		return false
	}
	return slices.ContainsFunc(res.Subjects, func(p string) bool { return p != "" && !slices.Contains(members, p) }) ||
		slices.ContainsFunc(res.Contained, func(c fhir.Resource) bool { return outsider(&c, members) })
}

// lines adds those resources that may leave.
func (a *act) lines(chunk []json.RawMessage, typ string, members []string, to *bytes.Buffer) error {
	if fhirapi.Owns(typ) {
		return a.ownedLines(chunk, members, to)
	}
	if err := a.foresee(chunk); err != nil {
		return err
	}
	raws := make([][]byte, len(chunk))
	for i, line := range chunk {
		raws[i] = line
	}
	if err := a.learn(raws...); err != nil {
		return err
	}
	left := 0
	defer func() { a.exportedMore(left) }()
	for _, raw := range chunk {
		s, ok, err := a.see(raw, eitherOf...)
		if err != nil {
			return err
		}
		if !ok || s.res.Type != typ || outsider(&s.res, members) {
			continue
		}
		a.deliver(s)
		left++
		to.Write(s.raw)
		to.WriteByte('\n')
	}
	return nil
}

// flush records what is about to leave, asks whether the token still stands,
// and sends it. Before anything was gathered it has nothing to do.
func (a *act) flush(batch *bytes.Buffer) error {
	if batch.Len() == 0 {
		return nil
	}
	if err := a.x.stand(); err != nil {
		return err
	}
	if err := a.record(nil); err != nil {
		return err
	}
	a.delivered, a.x.memory = nil, memory{}
	err := a.x.emit(mediaNDJSON, batch.Bytes())
	batch.Reset()
	return err
}
