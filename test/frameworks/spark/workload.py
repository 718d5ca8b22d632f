"""Writes and reads data of every kind below each base folder, and tells as JSON what came of it.

  spark-submit workload.py --base NAME=URI ... --sections text,csv --out FILE

What it tells of two bases is equal when the file systems behave alike: rows, names and lengths of files.
"""

import argparse
import hashlib
import json
import re
import time
import traceback

from pyspark.sql import SparkSession, functions as f

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SECTIONS = {}


def section(work):
    SECTIONS[work.__name__] = work
    return work


def rows(frame):
    """Number and digest of the rows, whatever their order."""
    lines = sorted(frame.toJSON().collect())
    return [len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest()]


def files(spark, folder):
    """All below a folder, hidden and temporary entries too, with lengths; what Spark draws at random is masked."""
    path = spark._jvm.org.apache.hadoop.fs.Path(folder)
    system = path.getFileSystem(spark._jsc.hadoopConfiguration())
    found = []

    def walk(at, prefix):
        for status in system.listStatus(at):
            name = prefix + UUID.sub("UUID", status.getPath().getName())
            if status.isDirectory():
                found.append(name + "/")
                walk(status.getPath(), name + "/")
            else:
                found.append(f"{name} {status.getLen()}")

    walk(path, "")
    return sorted(found)


def table(spark, count, slices=4):
    """Rows with what is hard to write down: quotes, line ends, nulls, other alphabets, the ends of numbers."""
    return spark.range(0, count, 1, slices).select(
        "id",
        f.expr("md5(cast(id as string)) as hash"),
        f.expr("""case id % 5 when 0 then 'plain' when 1 then 'a "b", c' when 2 then 'two\\nlines' when 3 then 'žluťoučký 文 🐘' end as word"""),
        f.expr("cast(id as double) / 7 as ratio"),
        f.expr("timestamp_seconds(1700000000 + id * 61) as at"),
        f.expr("if(id % 11 = 0, null, cast(id % 3 = 0 as boolean)) as flag"),
    )


@section
def text(spark, base, _):
    at = base + "/text"
    lines = spark.range(0, 20000, 1, 4).select(f.expr("concat('line ', id, ' ', repeat('žx ', cast(id % 40 as int)))"))
    lines.write.text(at)
    read = spark.sparkContext.textFile(at, 8)
    return {"rows": rows(spark.read.text(at)), "lines": read._jrdd.count(), "files": files(spark, at)}


@section
def csv(spark, base, _):
    at = base + "/csv"
    table(spark, 5000).write.option("header", True).csv(at)
    read = spark.read.csv(at, header=True, inferSchema=True, multiLine=True, escape="\\")
    return {"rows": rows(read), "schema": read.schema.simpleString(), "files": files(spark, at)}


@section
def json_lines(spark, base, _):
    at = base + "/json"
    table(spark, 5000).write.option("compression", "gzip").json(at)
    read = spark.read.json(at)
    return {"rows": rows(read), "schema": read.schema.simpleString(), "files": files(spark, at)}


@section
def parquet(spark, base, _):
    at = base + "/parquet"
    table(spark, 200000).write.option("parquet.block.size", 1 << 20).parquet(at)
    read = spark.read.parquet(at)
    some = read.where("id between 90000 and 91000 and word is not null").select("hash", "word", "at")
    sums = read.groupBy("word").agg(f.count("*"), f.sum("id"), f.max("hash"))
    return {"some": rows(some), "sums": rows(sums), "schema": read.schema.simpleString(), "files": files(spark, at)}


@section
def overwrite(spark, base, _):
    at = base + "/overwrite"
    table(spark, 3000).write.parquet(at)
    refused = ""
    try:
        table(spark, 1).write.parquet(at)
    except Exception as error:
        refused = type(error).__name__
    table(spark, 10).write.mode("ignore").parquet(at)
    kept = rows(spark.read.parquet(at))
    table(spark, 700, slices=2).write.mode("overwrite").parquet(at)
    missing = ""
    try:
        spark.read.parquet(base + "/nowhere")
    except Exception as error:
        missing = type(error).__name__
    return {
        "refused": refused,
        "kept": kept,
        "rows": rows(spark.read.parquet(at)),
        "files": files(spark, at),
        "missing": missing,
    }


@section
def append(spark, base, _):
    at = base + "/append"
    for slices in (1, 2, 3):
        table(spark, 1000, slices).write.mode("append").json(at)
    return {"rows": rows(spark.read.json(at)), "files": files(spark, at)}


@section
def partitioned(spark, base, _):
    at = base + "/partitioned"
    value = """case id % 6 when 0 then 'plain' when 1 then 'two words' when 2 then 'a=b' when 3 then '100%' when 4 then 'žlutý 文' end"""
    frame = table(spark, 6000).withColumn("k", f.expr(value)).withColumn("n", f.expr("id % 4"))
    frame.write.partitionBy("k", "n").parquet(at)
    one = spark.read.parquet(at).where("k = '100%' and n = 3")
    all_rows = rows(spark.read.parquet(at))
    # Only the partitions that are written anew are replaced.
    frame.where("k = 'a=b' and id < 300").write.mode("overwrite").option("partitionOverwriteMode", "dynamic").partitionBy("k", "n").parquet(at)
    return {
        "one": rows(one),
        "all": all_rows,
        "after": spark.read.parquet(at).groupBy("k").count().orderBy("k").toJSON().collect(),
        "files": [name for name in files(spark, at) if "/" in name],
    }


@section
def committers(spark, base, _):
    told = {}
    for version in ("1", "2"):
        at = f"{base}/committer-{version}"
        frame = table(spark, 2000, slices=8)
        option = "mapreduce.fileoutputcommitter.algorithm.version"
        frame.write.option(option, version).parquet(at)
        told[version] = {"rows": rows(spark.read.parquet(at)), "files": files(spark, at)}
    return told


@section
def small(spark, base, arguments):
    """Files that are there already: `--small` names their folder below the base's parent."""
    folder = base.rsplit("/", 1)[0] + "/" + arguments.small
    told = {}
    for time_of in ("first", "again"):
        told[time_of] = rows(spark.read.text(folder))
    counted = spark.read.format("binaryFile").load(folder).agg(f.count("*"), f.sum("length"))
    told["files"] = counted.toJSON().collect()
    return told


@section
def slow(spark, base, arguments):
    """Copies the lines of `slow-in`, unhurried: time for a test to kill something."""

    def unhurried(lines):
        for number, line in enumerate(lines):
            if number % arguments.every == 0:
                time.sleep(0.05)
            yield line.upper()

    for number in range(arguments.times):
        lines = spark.sparkContext.textFile(base + "/slow-in", arguments.slices)
        lines.mapPartitions(unhurried).saveAsTextFile(f"{base}/slow-{number}")
    return {}


@section
def fill(spark, base, arguments):
    """Parquet for `scan`, some 90 bytes a row that do not compress."""
    columns = ["id", "md5(cast(id as string)) a", "md5(cast(-id as string)) b", "rand(7) x", "rand(8) y"]
    spark.range(0, arguments.rows, 1, arguments.slices).selectExpr(*columns).write.parquet(base.rsplit("/", 1)[0] + "/scan")
    return {}


@section
def scan(spark, base, arguments):
    """Seconds of whole scans, and of CPU meanwhile: Parquet, every column; the text of many files."""
    parent = base.rsplit("/", 1)[0]
    kinds = {
        "parquet": lambda: spark.read.parquet(parent + "/scan").selectExpr("bit_xor(xxhash64(*))").collect(),
        "small": lambda: spark.read.text(parent + "/" + arguments.small).selectExpr("bit_xor(xxhash64(*))").collect(),
    }
    pids = {"spark": spark._jvm.java.lang.ProcessHandle.current().pid()}
    pids.update(pair.split("=") for pair in arguments.process)
    told = {}
    for kind, work in kinds.items():
        before, started = {name: cpu(pid) for name, pid in pids.items()}, time.monotonic()
        work()
        told[kind] = round(time.monotonic() - started, 3)
        told[kind + "Cpu"] = {name: round(cpu(pid) - before[name], 2) for name, pid in pids.items()}
    return told


def cpu(pid):
    """Seconds of CPU that a process has used."""
    with open(f"/proc/{pid}/stat", encoding="latin-1") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--base", action="append", required=True, help="NAME=URI")
    parser.add_argument("--sections", required=True, help="names with commas between")
    parser.add_argument("--out", required=True)
    parser.add_argument("--small", default="small")
    parser.add_argument("--rounds", type=int, default=1, help="with more, bases take turns")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--slices", type=int, default=16)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--process", action="append", default=[], help="NAME=PID, whose CPU a scan tells")
    parser.add_argument("--every", type=int, default=10)
    arguments = parser.parse_args()
    spark = SparkSession.builder.appName("workload").config("spark.sql.session.timeZone", "UTC").getOrCreate()
    told = []
    for turn in range(arguments.rounds):
        for name, base in (pair.split("=", 1) for pair in arguments.base):
            for title in arguments.sections.split(","):
                started = time.monotonic()
                try:
                    result = SECTIONS[title](spark, base, arguments)
                except Exception:
                    result = {"error": traceback.format_exc()[-6000:]}
                seconds = round(time.monotonic() - started, 2)
                told.append({"round": turn, "base": name, "section": title, "seconds": seconds, "result": result})
                print(name, title, seconds, flush=True)
    with open(arguments.out, "w", encoding="utf-8") as out:
        json.dump({"spark": spark.version, "told": told}, out)
    spark.stop()


main()
