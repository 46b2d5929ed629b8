"""A loopback server in front of moto: answers of documented shapes for what moto gets wrong."""

from tests.aws_answers.server import (
    Answer,
    Asked,
    AwsAnswers,
    error,
    json_body,
    s3_error,
    whole,
    xml_body,
)

__all__ = ["Answer", "Asked", "AwsAnswers", "error", "json_body", "s3_error", "whole", "xml_body"]
