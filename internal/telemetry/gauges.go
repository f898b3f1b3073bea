package telemetry

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mandate-health/mandate/internal/clock"
)

// gaugesKept is how long readings of the store are given again: who scrapes
// often costs nothing.
const gaugesKept = 10 * time.Second

// Gauge is a value that is read when somebody asks for the metrics.
type Gauge struct {
	Name, Help string
	// Counter says that the value only grows.
	Counter bool
	// Label names the one label, empty for none.
	Label string
	// Read gives the value by the value of the label, "" without one.
	Read func(context.Context) (map[string]float64, error)
}

func (g Gauge) kind() (string, prometheus.ValueType) {
	if g.Counter {
		return "counter", prometheus.CounterValue
	}
	return "gauge", prometheus.GaugeValue
}

// Add registers gauges.
func (m *Metrics) Add(gauges []Gauge) error {
	for _, g := range gauges {
		var labels []string
		if g.Label != "" {
			labels = []string{g.Label}
		}
		c := &gauge{g: g, desc: prometheus.NewDesc(g.Name, g.Help, labels, nil), failed: m.failed}
		if err := m.registry.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// gauge adapts a Gauge to Prometheus and keeps its last reading for a while.
type gauge struct {
	g      Gauge
	desc   *prometheus.Desc
	failed prometheus.Counter

	mu   sync.Mutex
	at   time.Duration
	last map[string]float64
}

// Describe implements prometheus.Collector.
func (c *gauge) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

// Collect implements prometheus.Collector.
func (c *gauge) Collect(ch chan<- prometheus.Metric) {
	_, kind := c.g.kind()
	for label, value := range c.read() {
		if c.g.Label == "" {
			ch <- prometheus.MustNewConstMetric(c.desc, kind, value)
		} else {
			ch <- prometheus.MustNewConstMetric(c.desc, kind, value, label)
		}
	}
}

func (c *gauge) read() map[string]float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := clock.Ticks(); c.last == nil || now-c.at >= gaugesKept {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		fresh, err := c.g.Read(ctx)
		if err != nil {
			// No value is better than an old one: absent() can alert.
			c.failed.Inc()
			return nil
		}
		c.last, c.at = fresh, now
	}
	return c.last
}

// Catalogue lists every metric of Mandate, for documentation: its own and the
// gauges given. Those of the Go runtime and the process (go_…, process_…) come
// with the library.
func Catalogue(gauges []Gauge) []Metric {
	out := own()
	for _, g := range gauges {
		kind, _ := g.kind()
		out = append(out, Metric{Name: g.Name, Type: kind, Labels: g.Label, Help: g.Help})
	}
	return out
}

// WriteMarkdown writes the table of the documentation.
func WriteMarkdown(w io.Writer, list []Metric) {
	fmt.Fprintln(w, "| metric | type | labels | what it says |\n|---|---|---|---|")
	for _, m := range list {
		fmt.Fprintf(w, "| `%s` | %s | %s | %s |\n", m.Name, m.Type, m.Labels, m.Help)
	}
}
