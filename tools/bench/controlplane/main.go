// Controlplane measures how fast fleets are made and listed: it starts a server
// of its own on an empty folder and prints one line a figure.
//
//	go build -o bin/thingd ./cmd/thingd
//	go run ./tools/bench/controlplane [-thingd bin/thingd] [-clients 16] [-seconds 10] [-sizes 1000,100000]
//
// Over HTTPS, with connections kept and every request signed with SigV4:
//
//   - devices a second: CreateThing, CreateCertificateFromCsr, AttachThingPrincipal
//     and AttachPolicy for each, by several clients at once. The devices' keys and
//     requests are made beforehand; each of the four calls is on disk when it is
//     answered. Then the same with CreateKeysAndCertificate, for which the server
//     makes an RSA key of 2048 bits for each device.
//   - CreateThing alone, while the fleet grows to each size.
//   - ListThings at each size: the time of one page of 250 (half of them, 99 of a
//     hundred), at the start of the list and through the whole of it.
//   - the server's memory (resident) and CPU time at each size, and its data folder.
//
// Client and server share the machine: rates are a lower bound, CPU times are the
// server's alone.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// settings are the flags.
type settings struct {
	thingd  string
	clients int
	seconds int
	sizes   []int
}

func main() {
	s, err := parse()
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) // ends the server, too
		err = measure(ctx, s)
		stop()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "controlplane:", err)
		os.Exit(1)
	}
}

func parse() (settings, error) {
	var s settings
	sizes := flag.String("sizes", "1000,100000", "things at which lists are measured, ascending")
	flag.StringVar(&s.thingd, "thingd", "bin/thingd", "the binary")
	flag.IntVar(&s.clients, "clients", 16, "clients at once")
	flag.IntVar(&s.seconds, "seconds", 10, "how long devices are made")
	flag.Parse()
	for _, text := range strings.Split(*sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return s, fmt.Errorf("-sizes: %w", err)
		}
		s.sizes = append(s.sizes, n)
	}
	return s, nil
}

func measure(ctx context.Context, s settings) error {
	srv, err := startServer(s.thingd)
	if err != nil {
		return err
	}
	defer srv.stop()
	api, err := srv.api(s.clients)
	if err != nil {
		return err
	}
	if err := lists(ctx, s, srv, api, s.sizes[:1]); err != nil {
		return err
	}
	if err := devices(ctx, s, srv, api); err != nil {
		return err
	}
	return lists(ctx, s, srv, api, s.sizes[1:])
}

// devices measures the making of whole devices.
func devices(ctx context.Context, s settings, srv *server, api *api) error {
	const policy = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}`
	if err := api.do(ctx, "POST", "/policies/fleet", nil, map[string]any{"policyDocument": policy}, nil); err != nil {
		return err
	}
	csrs, err := requests(s.clients)
	if err != nil {
		return err
	}
	if err := makeDevices(ctx, s, srv, api, "csr", csrs); err != nil {
		return err
	}
	return makeDevices(ctx, s, srv, api, "keys", make([]string, s.clients))
}

// makeDevices makes devices for a while, a client with its own request each.
func makeDevices(ctx context.Context, s settings, srv *server, api *api, how string, csrs []string) error {
	before, until := srv.cpu(), time.Now().Add(time.Duration(s.seconds)*time.Second)
	r, err := together(s.clients, func(client, i int) (bool, error) {
		return time.Now().Before(until), api.device(ctx, fmt.Sprintf("%s-%d-%d", how, client, i), csrs[client])
	})
	if err != nil {
		return err
	}
	cpu := srv.cpu() - before
	fmt.Printf("devices (%s) made by %d clients\t%.1f /s\t(%.1f per server CPU-second; p50 %v, p99 %v for the four calls)\n",
		how, s.clients, r.rate(), float64(r.count())/cpu.Seconds(), r.quantile(0.5), r.quantile(0.99))
	fmt.Printf("memory after %d devices\t%d MiB\n", r.count(), srv.rss()>>20)
	return nil
}

// lists grows the fleet, and measures its lists.
func lists(ctx context.Context, s settings, srv *server, api *api, sizes []int) error {
	made, err := api.count(ctx)
	if err != nil {
		return err
	}
	for _, size := range sizes {
		if made < size {
			if err := grow(ctx, s, srv, api, made, size); err != nil {
				return err
			}
			made = size
		}
		if err := list(ctx, srv, api, made); err != nil {
			return err
		}
	}
	return nil
}

func grow(ctx context.Context, s settings, srv *server, api *api, from, to int) error {
	each := (to - from + s.clients - 1) / s.clients
	before := srv.cpu()
	r, err := together(s.clients, func(client, i int) (bool, error) {
		if n := from + client*each + i; i < each && n < to {
			return true, api.do(ctx, "POST", fmt.Sprintf("/things/thing-%08d", n), nil, map[string]any{}, nil)
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	fmt.Printf("CreateThing, %d to %d things\t%.0f /s\t(%.0f per server CPU-second; p50 %v, p99 %v)\n", from, to,
		r.rate(), float64(to-from)/(srv.cpu()-before).Seconds(), r.quantile(0.5), r.quantile(0.99))
	return nil
}

// list measures pages of 250.
func list(ctx context.Context, srv *server, api *api, things int) error {
	first, err := together(1, func(_, i int) (bool, error) {
		_, err := api.page(ctx, "")
		return i < 200, err
	})
	if err != nil {
		return err
	}
	token := ""
	all, err := together(1, func(_, i int) (bool, error) {
		next, err := api.page(ctx, token)
		token = next
		return next != "", err
	})
	if err != nil {
		return err
	}
	fmt.Printf("ListThings, first page, of %d\tp50 %v, p99 %v\n", things, first.quantile(0.5), first.quantile(0.99))
	fmt.Printf("ListThings, every page, of %d\tp50 %v, p99 %v\t(%d pages in %v)\n", things,
		all.quantile(0.5), all.quantile(0.99), all.count(), all.took.Round(time.Millisecond))
	fmt.Printf("memory at %d things\t%d MiB\t(data folder %d MiB)\n", things, srv.rss()>>20, srv.disk()>>20)
	return nil
}
