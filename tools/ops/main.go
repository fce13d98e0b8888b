// Ops prints how much of AWS's operations thingd has, as the table that is kept
// in docs/operations.md:
//
//	go run ./tools/ops > docs/operations.md
//
// An operation is routed if the AWS front knows it, built if it has a method,
// and effective if what it keeps is obeyed by connections, messages or calls,
// not only remembered (effective.go lists those that are built and not yet
// effective).
package main

import (
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"thingd/internal/api"
	"thingd/internal/aws/iamapi"
	"thingd/internal/aws/iot"
	"thingd/internal/aws/iotdata"
	"thingd/internal/aws/iotjobs"
	"thingd/internal/aws/sagemaker"
	"thingd/internal/aws/sagemakeredge"
	"thingd/internal/aws/sts"
	"thingd/internal/aws/thingdapi"
	"thingd/internal/aws/tunneling"
	"thingd/internal/aws/wire"
)

func main() {
	if err := write(os.Stdout, coverage()); err != nil {
		fmt.Fprintln(os.Stderr, "ops:", err)
		os.Exit(1)
	}
}

// coverage mounts the services the way the server does, without what is behind
// them.
func coverage() []wire.Covered {
	mux := wire.NewMux(wire.Options{})
	mux.Mount(iot.Service, &api.IoT{})
	mux.Mount(iotdata.Service, &api.IoTData{})
	mux.Mount(iotjobs.Service, nil)
	mux.Mount(tunneling.Service, nil)
	mux.Mount(sagemaker.Service, &api.SageMaker{})
	mux.Mount(sagemakeredge.Service, &api.SageMakerEdge{})
	mux.Mount(sts.Service, &api.STS{})
	mux.Mount(iamapi.Service, &api.IAM{})
	mux.Mount(thingdapi.Service, &api.Thingd{})
	return mux.Coverage()
}

// figures are the counts of one service.
type figures struct{ routed, built, effective int }

func write(w io.Writer, all []wire.Covered) error {
	var services []string
	count := map[string]*figures{}
	for _, op := range all {
		f := count[op.Service]
		if f == nil {
			f = &figures{}
			count[op.Service] = f
			services = append(services, op.Service)
		}
		f.routed++
		if op.Implemented {
			f.built++
			if _, inert := notEffective[op.Operation]; !inert {
				f.effective++
			}
		}
	}
	var b strings.Builder
	b.WriteString("# Operations\n\nMade by `make ops`. Routed: the AWS front knows the operation and answers it in AWS's form. " +
		"Built: it does what its name says and keeps it. Effective: connections, messages and calls obey what it keeps.\n\n" +
		"| service | routed | built | effective |\n| --- | --- | --- | --- |\n")
	var total figures
	for _, name := range services {
		f := count[name]
		fmt.Fprintf(&b, "| %s | %d | %d | %d |\n", name, f.routed, f.built, f.effective)
		total = figures{total.routed + f.routed, total.built + f.built, total.effective + f.effective}
	}
	fmt.Fprintf(&b, "| all | %d | %d | %d |\n", total.routed, total.built, total.effective)
	for _, name := range services {
		fmt.Fprintf(&b, "\n## %s\n\nBuilt: %s.\n\nNot built: %s.\n", name, names(all, name, true), names(all, name, false))
	}
	b.WriteString("\n## Built and not effective\n\n")
	if len(notEffective) == 0 {
		b.WriteString("none\n")
	}
	for _, op := range sorted(notEffective) {
		fmt.Fprintf(&b, "- %s: %s\n", op, notEffective[op])
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func names(all []wire.Covered, service string, implemented bool) string {
	var found []string
	for _, op := range all {
		if op.Service == service && op.Implemented == implemented {
			found = append(found, op.Operation)
		}
	}
	if len(found) == 0 {
		return "none"
	}
	sort.Strings(found)
	return strings.Join(found, ", ")
}

func sorted(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
