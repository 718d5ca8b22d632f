"""Scans folders of text, each as a job group of its own, and tells as JSON what it counted and what the plug-in told of executors.

  spark-submit scans.py --scan GROUP=URI[,conf=value...] ... --out FILE

Confs are Spark's, or Hadoop's: those count for the first scan of an authority only.
"""

import argparse
import json
import time

from pyspark.sql import SparkSession, functions as f

# The metrics of executors are written every second.
METRICS_SECONDS = 2.5


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--scan", action="append", default=[])
    parser.add_argument("--out", required=True)
    asked = parser.parse_args()
    spark = SparkSession.builder.getOrCreate()
    context = spark.sparkContext
    told = {}
    for scan in asked.scan:
        group, words = scan.split("=", 1)
        uri, *confs = words.split(",")
        for conf in confs:
            key, value = conf.split("=", 1)
            spark.conf.set(key, value) if key.startswith("spark.") else context._jsc.hadoopConfiguration().set(key, value)
        context.setJobGroup(group, group)
        told[group] = spark.read.text(uri).agg(f.sum(f.length("value")), f.count("*")).collect()[0].asDict()
        told[group] = list(told[group].values())
    told["executors"] = spark._jvm.alluxio.client.TaskHosts.ofThisProgram().question()
    time.sleep(METRICS_SECONDS)
    spark.stop()
    with open(asked.out, "w") as out:
        json.dump(told, out)


if __name__ == "__main__":
    main()
