// s3-latency is an S3 server for tests: objects in memory, path-style, no check of signatures. It adds a fixed delay to
// every call, counts calls by name, and plays faults on demand. Control calls live under /_control/.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"
)

func main() {
	address := flag.String("address", "127.0.0.1:0", "address to listen on")
	delay := flag.Duration("delay", 0, "delay added to every S3 call")
	bucket := flag.String("bucket", "test", "bucket that exists from the start")
	flag.Parse()

	server := newServer(*delay)
	server.store.makeBucket(*bucket)
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	// The one line of output tells the parent where we listen.
	fmt.Printf("http://%s\n", listener.Addr())
	log.Fatal((&http.Server{Handler: server, ReadHeaderTimeout: time.Minute}).Serve(listener))
}
