module alluxio.test/s3-latency

go 1.21
