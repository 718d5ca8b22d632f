"""Sums up lines of text as often as it is told: an ordinary query, which knows nothing of caches.

  spark-submit job.py FOLDER

Waits for N.order in the folder, from 0 on: JSON {uri, confs}, {again: true} for the query of before by its old listing, or {end: true}.
Answers with N.told: {lines, digest, seconds, jobs}.
"""

import json
import os
import sys
import time

from pyspark.sql import SparkSession

folder = sys.argv[1]
spark = SparkSession.builder.appName("lines").getOrCreate()
frame = None
number = 0


def order():
    file = f"{folder}/{number}.order"
    while not os.path.exists(file):
        time.sleep(0.02)
    with open(file, encoding="utf-8") as told:
        return json.load(told)


wanted = order()
while "end" not in wanted:
    group = str(number)
    spark.sparkContext.setJobGroup(group, group)
    for key, value in wanted.get("confs", {}).items():
        spark.conf.set(key, value)
    started = time.monotonic()
    if "again" not in wanted:
        frame = spark.read.text(wanted["uri"])
    lines, digest = frame.selectExpr("count(*)", "bit_xor(xxhash64(value))").first()
    seconds = time.monotonic() - started
    jobs = list(spark.sparkContext.statusTracker().getJobIdsForGroup(group))
    answer = {"lines": lines, "digest": str(digest), "seconds": seconds, "jobs": jobs}
    with open(f"{folder}/{number}.new", "w", encoding="utf-8") as told:
        json.dump(answer, told)
    os.rename(f"{folder}/{number}.new", f"{folder}/{number}.told")
    number += 1
    wanted = order()
spark.stop()
