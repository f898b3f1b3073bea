package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mandate-health/mandate/conformance/bench/measure"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/freeport"
)

// loaders is how many file Consents at once.
const loaders = 16

// load files the Consents of all patients through the administration API, each
// validated, sealed and recorded as any other.
func (c *consenting) load(ctx context.Context) error {
	begin := c.rig.clock.Now()
	c.rig.say("%d Consents of %d patients", c.rig.consentRows, c.rig.consentRows/patientsFor)
	jobs := make(chan [2]string)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for range loaders {
		all.Go(func() {
			for job := range jobs {
				if err := c.file(ctx, job[0], job[1]); err != nil {
					cancel(err)
				}
			}
		})
	}
	c.spreadOut(ctx, jobs)
	close(jobs)
	all.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	c.add("Consents filed per second", number(measure.Ratio(float64(c.rig.consentRows), c.rig.clock.Now().Sub(begin).Seconds())), 0)
	return nil
}

// spreadOut hands out who gets which Consent: the patient of the story as many as
// anybody has, others from none to that.
func (c *consenting) spreadOut(ctx context.Context, jobs chan<- [2]string) {
	left := c.rig.consentRows
	give := func(patient string, n int) {
		for i := 0; i < n && left > 0; i++ {
			select {
			case jobs <- [2]string{patient, fmt.Sprintf("%s-%d", patient, i)}:
			case <-ctx.Done():
				return
			}
			left--
		}
	}
	give("rosa", min(mostConsents-1, left))
	for i := 0; left > 0 && ctx.Err() == nil; i++ {
		// Most have few, some fifty: ten on average, and in each run the same.
		n := i * 7 % (2*patientsFor - 1)
		if i%50 == 0 {
			n = mostConsents
		}
		give(fmt.Sprintf("bench-%d", i), n)
	}
}

// file files a copy of the story's Consent for another helper of a patient.
func (c *consenting) file(ctx context.Context, patient, id string) error {
	doc := map[string]any{}
	for k, v := range c.story {
		doc[k] = replaced(v, map[string]string{"Patient/rosa": "Patient/" + patient, "RelatedPerson/rosa-elena": "RelatedPerson/helper-" + id})
	}
	doc["id"] = "load-" + id
	_, err := c.admin(ctx, c.api(), http.MethodPut, "/consents/load-"+id, "", doc)
	return err
}

// replaced gives a value in which texts are others.
func replaced(v any, texts map[string]string) any {
	switch v := v.(type) {
	case string:
		if to, ok := texts[v]; ok {
			return to
		}
	case []any:
		out := make([]any, len(v))
		for i, one := range v {
			out[i] = replaced(one, texts)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, one := range v {
			out[k] = replaced(one, texts)
		}
		return out
	}
	return v
}

// revoked times how long another node goes on after a withdrawal, where changes
// are pushed and where they are only polled. The embedded store has one node.
func (c *consenting) revoked(ctx context.Context) error {
	if c.rig.pg == nil {
		return nil
	}
	for _, way := range []struct {
		name string
		args []string
		last float64
		goal float64
		n    int
	}{
		{"pushed", nil, 99, goalPushed, 100}, {"polled only", []string{"--database-pooler"}, 100, goalPolled, 20},
	} {
		node, stop, err := c.rig.anotherNode(ctx, c.target.Issuer, way.args...)
		if err != nil {
			return err
		}
		var took []time.Duration
		for range c.times(way.n) {
			one, err := c.stopwatch(ctx, node)
			if err != nil {
				return err
			}
			took = append(took, one)
		}
		c.spread("from withdrawn to refused at another node, "+way.name, took, way.last, way.goal)
		if err := stop(); err != nil {
			return err
		}
	}
	return nil
}

// stopwatch withdraws the daughter's Consent at the first node while the other
// honours it, and tells when that refuses. Then it is in force again.
func (c *consenting) stopwatch(ctx context.Context, node string) (time.Duration, error) {
	if err := c.renew(ctx); err != nil {
		return 0, err
	}
	reads := func(want int) error {
		for {
			res, err := c.target.Do(ctx, kit.Request{URL: node + "/fhir/MedicationRequest?patient=rosa&_count=1", Bearer: c.grant.Access()})
			if err != nil {
				return err
			}
			if res.Status == want {
				return nil
			}
			if res.Status != http.StatusOK && res.Status != http.StatusForbidden {
				return fmt.Errorf("the other node: %s", res)
			}
		}
	}
	if err := reads(http.StatusOK); err != nil {
		return 0, err
	}
	if err := c.touch(ctx, "inactive"); err != nil {
		return 0, err
	}
	begin := c.rig.clock.Now()
	if err := reads(http.StatusForbidden); err != nil {
		return 0, err
	}
	took := c.rig.clock.Now().Sub(begin)
	return took, c.touch(ctx, "active")
}

// anotherNode starts a second node of the measured server.
func (r *rig) anotherNode(ctx context.Context, issuer string, flags ...string) (address string, stop func() error, err error) {
	registered, readyFile := filepath.Join(r.dir, subjectDB+"-clients.json"), filepath.Join(r.dir, "node-ready-"+r.ids.ID()+".json")
	store, err := r.storeFlags(subjectDB)
	if err != nil {
		return "", nil, err
	}
	listen, err := freeport.Take()
	if err != nil {
		return "", nil, err
	}
	args := slices.Concat([]string{
		"dev", "--no-families", "--listen", listen, "--public-url", issuer, "--ready-file", readyFile, "--client", registered,
		"--upstream", "http://" + r.upstream.addr + r.upstream.fhir,
	}, store, flags)
	for i, a := range args {
		// A folder belongs to one process.
		if a == "--data" {
			args[i+1] += "-node-" + r.ids.ID()
		}
	}
	ch, err := startChild(ctx, r.binary, args...)
	if err != nil {
		return "", nil, err
	}
	r.children = append(r.children, ch)
	_, err = readyOf(ctx, ch, readyFile)
	return "http://" + strings.TrimSpace(listen), ch.stop, err
}
