"""Flags round amounts: people who make up transactions tend to make up round ones."""

from ingest_detector import Anomaly, Batch, Metadata, Setting, cents, refuse


class Detector:
    """One run: what it was configured with and what it learns, from `configure` to `finish`."""

    def describe(self) -> Metadata:
        return Metadata(
            name="my-detector",
            version="0.1.0",
            description="Flags round amounts from `minimum` up. The score is the amount.",
            # Each row is judged by itself. See the WIT for the other two orderings.
            ordering="any",
            settings=[
                Setting("minimum", "decimal", default="10", doc="Round amounts from this one up are anomalous."),
            ],
        )

    def configure(self, settings: dict) -> None:
        self.minimum_cents = cents(settings, "minimum")
        if self.minimum_cents < 0:
            raise refuse("minimum", "it must not be negative")

    def classify(self, batch: Batch) -> list[Anomaly]:
        return [
            Anomaly(row, score=amount / 100, reason=f"{amount // 100}.00 is a round amount")
            for row, amount in enumerate(batch.amounts)  # in hundredths
            if amount >= self.minimum_cents and amount % 100 == 0
        ]
