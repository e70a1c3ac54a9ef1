from .board_folder import write_board as write_board
from .page import render_leaderboard as render_leaderboard
from .published_results import publish_results as publish_results, read_published as read_published
from .score import Score as Score, score_schema as score_schema, scores_of as scores_of
from .score_check import check_scores as check_scores
from .score_files import read_scores as read_scores, scores_json as scores_json
